"""The reference counts what heads said about pictures they had not seen, and knows how much that is worth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trainer.blobs import make_blobs
from trainer.metrics import predicted_classes
from trainer.novelty import fit_novelty
from trainer.reference import effective_count, reference_of
from trainer.samples import Sample, Split
from trainer.training import Measured, Training, measure

N = 150


@pytest.fixture(scope="module")
def training() -> Training:
    features, targets, groups = make_blobs(N, features=12, classes=3, distance=3)
    samples = tuple(
        Sample(Path(f"{row}.png"), f"{row}.png", "abc"[target], f"{row:064x}", None)
        for row, target in enumerate(targets)
    )
    splits: tuple[Split, ...] = ("train", "train", "train", "validation", "test") * (N // 5)
    return Training(samples, ("a", "b", "c"), features, targets, tuple(groups), splits)


@pytest.fixture(scope="module")
def measured(training: Training) -> Measured:
    return measure(training, seed=0, threads=1)


def alone(count: int) -> NDArray[np.int64]:
    return np.arange(count)


def test_every_picture_is_counted_by_a_head_that_had_not_seen_it(training: Training, measured: Measured) -> None:
    learned = training.rows("train", "validation")
    groups = [training.groups[row] for row in learned.tolist()]
    novelty = fit_novelty(training.features[learned], training.targets[learned], groups, seed=0)

    found = reference_of(training, measured, measured.fit, novelty, test_is_alike=True)

    answers = np.concatenate([measured.fit.out_of_fold_probabilities, measured.test_probabilities])
    assert found is not None
    assert found.counts == tuple(np.bincount(predicted_classes(answers), minlength=3).tolist())
    assert (found.pictures, found.groups, found.effective) == (N, N, N)
    assert found.novelty_effective == len(learned)


def test_a_named_test_set_is_no_reference(training: Training, measured: Measured) -> None:
    """It may be of other pictures than those that the model is made for."""
    nothing = fit_novelty(training.features[:9], training.targets[:9], training.groups[:9], seed=0)

    found = reference_of(training, measured, measured.fit, nothing, test_is_alike=False)
    only_test = reference_of(
        training, replace(measured, cross_validated=None), measured.fit, nothing, test_is_alike=False
    )

    assert found is not None and only_test is not None
    assert (found.pictures, only_test.pictures) == (N * 4 // 5, N // 5)
    assert found.novelty_effective is None


def test_without_an_answer_to_an_unseen_picture_there_is_none(training: Training, measured: Measured) -> None:
    nothing = fit_novelty(training.features[:9], training.targets[:9], training.groups[:9], seed=0)
    unmeasured = replace(measured, cross_validated=None, test=None)

    assert reference_of(training, unmeasured, measured.fit, nothing, test_is_alike=True) is None


def test_pictures_that_are_all_their_own_group_count_in_full() -> None:
    values = np.random.default_rng(0).integers(0, 4, 300)

    assert effective_count(values, alone(300)) == 300


def test_copies_count_once() -> None:
    """Ten times the same hundred pictures tell no more than these hundred."""
    values = np.random.default_rng(0).integers(0, 3, 100)

    found = effective_count(np.tile(values, 10), np.tile(alone(100), 10))

    assert found == pytest.approx(100, rel=0.02)


def test_groups_whose_pictures_have_nothing_in_common_lose_little() -> None:
    draw = np.random.default_rng(0)

    found = [effective_count(draw.integers(0, 3, 1000), np.repeat(alone(200), 5)) for _ in range(20)]

    assert np.mean(found) == pytest.approx(970, abs=40)


@pytest.mark.parametrize(("values", "groups", "expected"), [([1, 1, 1], [0, 0, 1], 3), ([0, 1, 0], [0, 0, 0], 1)])
def test_what_tells_nothing_of_variance(values: list[int], groups: list[int], expected: float) -> None:
    assert effective_count(np.array(values), np.array(groups)) == expected
