"""trainer/fold_mean.py: the mean over folds, and how sure it is."""

import numpy as np
import pytest

from trainer.fold_mean import mean_over_folds
from trainer.intervals import repeated_folds_interval, wilson_interval


def test_folds_that_agree_by_chance_have_the_interval_of_their_pictures() -> None:
    """Three folds of three pictures, two right in each: 0.6667 to 0.6667 is not what is known."""
    found = mean_over_folds([2 / 3] * 3, folds=3, pooled=[wilson_interval(6, 9)])

    assert found.mean == pytest.approx(2 / 3)
    assert found.interval == wilson_interval(6, 9)


def test_folds_that_differ_more_than_their_pictures_explain_keep_their_interval() -> None:
    values = [0.5, 0.9, 0.7, 0.95, 0.6]

    found = mean_over_folds(values, folds=5, pooled=[wilson_interval(7300, 10_000)])

    assert found.interval[0] == pytest.approx(repeated_folds_interval(values, folds=5)[0])
    assert found.interval[1] == 1.0


def test_repetitions_share_the_pictures_and_so_their_interval() -> None:
    """Repeating the folds five times makes five intervals of the same nine pictures, not one of forty-five."""
    found = mean_over_folds([2 / 3] * 15, folds=3, pooled=[wilson_interval(6, 9)] * 5)

    assert found.interval == pytest.approx(wilson_interval(6, 9))


def test_the_mean_lies_within() -> None:
    """Folds of unlike size: their mean is not the share of all."""
    found = mean_over_folds([0.0] * 5, folds=5, pooled=[(0.1, 0.4)])

    assert found.interval == (0.0, 0.4)


def test_few_pictures_in_folds_are_not_told_too_exactly() -> None:
    """Fifteen coins in five folds: by the folds alone, 6 in 100 intervals would miss, and some have no width."""
    random, held = np.random.default_rng(0), []
    for _ in range(400):
        right = random.random(15) < 0.8
        values = right.reshape(5, 3).mean(axis=1).tolist()
        low, high = mean_over_folds(values, folds=5, pooled=[wilson_interval(int(right.sum()), 15)]).interval
        assert high - low > 0.1
        held.append(low <= 0.8 <= high)

    assert np.mean(held) > 0.95
