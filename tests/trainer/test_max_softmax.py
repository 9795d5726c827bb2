"""trainer/max_softmax.py and left_out.py: what the scores alone notice of labels that were left out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trainer.blobs import make_blobs
from trainer.left_out import turns
from trainer.max_softmax import max_softmax_auroc
from trainer.novelty import FOLDS


def measured(features: NDArray[np.float32], targets: NDArray[np.int64]) -> float | None:
    return max_softmax_auroc(
        features, targets, np.arange(len(targets)) // 7 % FOLDS, class_count=int(targets.max()) + 1, l2=0.1, threads=1
    )


def test_labels_that_lie_between_the_others_are_told_by_low_scores() -> None:
    """Three corners of a triangle: each one is as far from the two others, which are not sure of it."""
    targets = np.arange(300) % 3
    features = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    features[np.arange(300), targets] += 8

    assert measured(features, targets) == pytest.approx(1, abs=0.02)


def test_labels_that_lie_beyond_another_one_are_taken_for_it_with_high_scores() -> None:
    """Six pairs, one of each twice as far out as the other: what is left out looks more like that one than itself."""
    targets = np.arange(600) % 12
    features = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)
    for direction, (left_out, beside) in enumerate(zip((0, 2, 4, 7, 9, 11), (1, 3, 5, 6, 8, 10), strict=True)):
        features[targets == left_out, direction] += 12
        features[targets == beside, direction] += 6

    assert {turn.left for turn in turns(targets, np.arange(600) % FOLDS)} == {0, 2, 4, 7, 9, 11}
    assert measured(features, targets) == pytest.approx(0, abs=0.02)


def test_labels_that_mean_nothing_are_not_noticed() -> None:
    features, targets, _ = make_blobs(400, features=10, classes=4)

    assert measured(features, np.random.default_rng(0).permutation(targets)) == pytest.approx(0.5, abs=0.07)


def test_where_only_one_label_would_be_left_there_is_nothing_to_choose_from() -> None:
    features, targets, _ = make_blobs(100, features=10, classes=2)

    assert measured(features, targets) is None


def test_nothing_is_fitted_on_what_is_left_out_or_held_and_no_label_is_taken_twice() -> None:
    targets, folds = np.arange(400) % 9, np.arange(400) % FOLDS

    found = list(turns(targets, folds))

    assert len({turn.left for turn in found}) == len(found) == 6
    for turn in found:
        assert not (turn.familiar & turn.own).any()
        assert (turn.unseen == (turn.own | turn.familiar)).all()
        assert (targets[turn.own] == turn.left).all()
