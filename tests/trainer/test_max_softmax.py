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


def test_a_label_between_the_others_gets_low_scores() -> None:
    """On a line, the middle one of three is what neither of the others is sure of; the outer ones are not."""
    random, targets = np.random.default_rng(0), np.arange(300) % 3
    features = random.normal(size=(300, 8)).astype(np.float32)
    features[:, 0] += 8 * targets

    found = measured(features, targets)

    assert found is not None
    assert 0.33 < found < 0.7


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
