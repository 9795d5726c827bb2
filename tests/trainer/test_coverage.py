"""trainer/coverage.py: fewer answers, better ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.coverage import coverage_at, coverage_curve, suggested_thresholds
from trainer.metrics import accuracy


def of_two_classes(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities whose first class is predicted with these scores, each above 0.5."""
    return np.stack([score, 1 - score], axis=1)


def test_four_predictions_counted_by_hand() -> None:
    curve = coverage_curve(of_two_classes(np.array([0.6, 0.7, 0.8, 0.9])), np.array([1, 0, 1, 0]))

    at = {point.threshold: [point.n, point.coverage, point.accuracy] for point in curve}
    assert at[0.0] == [4, 1.0, 0.5]
    assert at[0.6] == [4, 1.0, 0.5]
    assert at[0.61] == pytest.approx([3, 0.75, 2 / 3])
    assert at[0.9] == [1, 0.25, 1.0]
    assert 0.91 not in at


@given(seed=st.integers(0, 40))
def test_coverage_only_falls_and_begins_with_everything(seed: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(3), size=random.integers(1, 100))
    targets = random.integers(0, 3, len(probabilities))

    curve = coverage_curve(probabilities, targets)

    assert (curve[0].coverage, curve[0].accuracy) == (1.0, accuracy(probabilities, targets))
    assert all(before.coverage >= after.coverage for before, after in pairwise(curve))
    assert all(point.interval[0] <= point.accuracy <= point.interval[1] for point in curve)


def test_a_threshold_is_the_lowest_that_reaches_what_is_asked_for() -> None:
    """80 % right below 0.7 and all right above: withholding the lower half makes every accuracy certain."""
    score = np.repeat([0.65, 0.95], 50)
    targets = np.where(np.arange(100) % 5 == 0, 1, 0) * (score < 0.7)

    (found,) = suggested_thresholds(coverage_curve(of_two_classes(score), targets))

    assert (found.threshold, found.coverage, found.accuracy) == (0.66, 0.5, 1.0)


def test_nothing_is_suggested_where_everything_is_right_anyway_or_nothing_helps() -> None:
    score = np.linspace(0.55, 0.99, 100)

    assert suggested_thresholds(coverage_curve(of_two_classes(score), np.zeros(100, np.int64))) == ()
    assert suggested_thresholds(coverage_curve(of_two_classes(score), np.arange(100) % 2)) == ()


def test_a_few_lucky_pictures_make_no_threshold() -> None:
    score = np.concatenate([np.full(100, 0.6), np.full(19, 0.99)])
    targets = np.concatenate([np.arange(100) % 2, np.zeros(19, np.int64)])

    assert suggested_thresholds(coverage_curve(of_two_classes(score), targets)) == ()


def test_nothing_has_no_curve() -> None:
    with pytest.raises(ValueError, match="0 targets for 0 rows"):
        coverage_curve(np.zeros((0, 2)), np.zeros(0, np.int64))


def test_a_threshold_found_elsewhere_is_tried_on_other_pictures() -> None:
    probabilities = of_two_classes(np.array([0.6, 0.7, 0.8, 0.9]))

    point = coverage_at(0.65, probabilities, np.array([1, 0, 1, 0]))

    assert point is not None
    assert (point.n, point.coverage, point.accuracy) == (3, 0.75, pytest.approx(2 / 3))
    assert coverage_at(0.95, probabilities, np.zeros(4, np.int64)) is None
