"""A generation lives as long as someone uses it, and not longer."""

import numpy as np
import pytest

from service.generation import Generation
from service.runner import SessionRunner
from shared.bundle import NOVELTY, PROBABILITIES
from tests.service.fakes import FakeSession, fake_generation

IMAGES = np.zeros((1, 16, 16, 3), np.uint8)


def test_a_retired_generation_serves_its_leases_and_closes_with_the_last() -> None:
    """A swap drops no request: who leased the old version finishes on it."""
    generation = fake_generation()
    generation.begin_lease()
    generation.begin_lease()

    generation.retire()
    generation.end_lease()
    assert not generation.closed
    assert generation.run(IMAGES).probabilities.argmax() == 1

    generation.end_lease()
    assert generation.closed


def test_a_retired_generation_gives_no_new_leases() -> None:
    generation = fake_generation()
    generation.retire()

    assert generation.begin_lease() is False
    assert generation.closed


def test_closing_is_told_once() -> None:
    closed: list[Generation] = []
    runner = SessionRunner(FakeSession())  # type: ignore[arg-type]
    generation = Generation("colours", fake_generation().bundle, runner, on_close=closed.append)

    generation.begin_lease()
    generation.retire()
    generation.retire()
    generation.end_lease()

    assert closed == [generation]


def test_using_a_closed_generation_is_a_mistake_that_says_so() -> None:
    generation = fake_generation(version="v7")
    generation.retire()

    with pytest.raises(RuntimeError, match=r"colours v7, retired, 0 leases"):
        generation.run(IMAGES)


def test_novelty_is_asked_for_only_of_models_that_know_it() -> None:
    plain, knowing = (
        fake_generation(),
        fake_generation(session=FakeSession(novelty=0.25), outputs=(PROBABILITIES, NOVELTY)),
    )

    assert plain.run(IMAGES).novelty is None
    assert knowing.run(IMAGES).novelty == 0.25
