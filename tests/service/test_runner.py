"""A picture is computed on the session that fits its lane."""

import numpy as np
import pytest

from service.runner import SessionRunner
from shared.bundle import NOVELTY, PROBABILITIES
from tests.service.fakes import FakeSession

IMAGES = np.zeros((1, 16, 16, 3), np.uint8)


@pytest.mark.parametrize(("wide", "runs"), [(False, (1, 0)), (True, (0, 1))])
def test_a_run_goes_to_the_session_of_its_width(*, wide: bool, runs: tuple[int, int]) -> None:
    narrow_session, wide_session = FakeSession(), FakeSession()
    runner = SessionRunner(narrow_session, wide_session)  # type: ignore[arg-type]

    runner.run(IMAGES, wide=wide)

    assert (len(narrow_session.shapes), len(wide_session.shapes)) == runs
    assert runner.can_widen


def test_without_a_wide_session_every_run_is_narrow() -> None:
    session = FakeSession()
    runner = SessionRunner(session)  # type: ignore[arg-type]

    runner.run(IMAGES, wide=True)

    assert (len(session.shapes), runner.can_widen) == (1, False)


def test_what_the_graph_says_is_told_of_one_picture() -> None:
    runner = SessionRunner(FakeSession(novelty=0.5), outputs=(PROBABILITIES, NOVELTY))  # type: ignore[arg-type]

    outputs = runner.run(IMAGES, wide=False)

    assert (outputs.probabilities.shape, outputs.novelty) == ((3,), 0.5)


def test_further_outputs_are_told_where_they_are_asked_for() -> None:
    session = FakeSession(novelty=0.5)
    runner = SessionRunner(session)  # type: ignore[arg-type]

    plain, asked = runner.run(IMAGES, wide=False), runner.run(IMAGES, wide=False, also=(NOVELTY,))

    assert (plain.also, asked.novelty) == ({}, None)
    assert {name: float(values) for name, values in asked.also.items()} == {NOVELTY: 0.5}
