"""trainer/ranking.py: counted by hand; tests/trainer/test_metrics_against_scikit_learn.py compares."""

import numpy as np
import pytest

from trainer.ranking import average_precision, roc_auc


def test_four_samples_are_ranked_by_hand() -> None:
    """Of the four pairs of a positive and a negative, three are in order; the positives are found at 1 of 1, 2 of 3."""
    scores, positive = np.array([0.9, 0.8, 0.4, 0.1]), np.array([True, False, True, False])

    assert roc_auc(scores, positive) == 0.75
    assert average_precision(scores, positive) == pytest.approx((1 + 2 / 3) / 2)


def test_what_says_the_same_of_all_is_worth_nothing() -> None:
    scores, positive = np.zeros(4), np.array([True, False, False, False])

    assert roc_auc(scores, positive) == 0.5
    assert average_precision(scores, positive) == 0.25


@pytest.mark.parametrize("kind", [True, False])
def test_a_single_kind_cannot_be_told_apart(kind: bool) -> None:  # noqa: FBT001
    assert roc_auc(np.array([0.1, 0.2]), np.array([kind, kind])) is None
    assert average_precision(np.array([0.1, 0.2]), np.array([False, False])) is None


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 scores for 3 samples"):
        roc_auc(np.zeros(2), np.zeros(3, np.bool_))
