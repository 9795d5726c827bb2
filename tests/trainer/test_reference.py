"""The reference counts what heads said about pictures they had not seen, and knows how much that is worth."""

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.blobs import make_blobs
from trainer.metrics import predicted_classes
from trainer.novelty import fit_novelty
from trainer.reference import reference_of
from trainer.samples import Sample, Split
from trainer.training import Measured, Training, measure

N = 150


@pytest.fixture(scope="module")
def training() -> Training:
    features, targets, groups = make_blobs(N, features=12, classes=3, distance=3)
    samples = tuple(
        Sample(f"{row}.png", f"{row}.png", "abc"[target], f"{row:064x}", None) for row, target in enumerate(targets)
    )
    splits: tuple[Split, ...] = ("train", "train", "train", "validation", "test") * (N // 5)
    return Training(samples, ("a", "b", "c"), features, targets, tuple(groups), splits)


@pytest.fixture(scope="module")
def measured(training: Training) -> Measured:
    return measure(training, seed=0, threads=1)


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

    assert found is not None and only_test is None
    assert (found.pictures, found.novelty_effective) == (N * 4 // 5, None)


def test_without_an_answer_to_an_unseen_picture_there_is_none(training: Training, measured: Measured) -> None:
    nothing = fit_novelty(training.features[:9], training.targets[:9], training.groups[:9], seed=0)
    unmeasured = replace(measured, cross_validated=None, test=None)

    assert reference_of(training, unmeasured, measured.fit, nothing, test_is_alike=True) is None
