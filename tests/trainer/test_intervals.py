import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.intervals import grouped_interval, repeated_folds_interval, standard_error, students_t_95, wilson_interval


@pytest.mark.parametrize(
    ("right", "n", "expected"),
    [
        (81, 263, (0.2553, 0.3662)),  # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_interval_of_a_share_is_the_published_one(right: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(right, n) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_lies_in_0_to_1_around_the_share_and_mirrors(case: tuple[int, int]) -> None:
    right, n = case
    low, high = wilson_interval(right, n)

    assert 0 <= low <= right / n <= high <= 1
    assert wilson_interval(n - right, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(st.integers(1, 1000), st.integers(2, 10))
def test_more_pictures_make_it_narrower(n: int, factor: int) -> None:
    few, many = wilson_interval(n // 2, n), wilson_interval(n // 2 * factor, n * factor)

    assert many[1] - many[0] < few[1] - few[0]


@pytest.mark.parametrize(("right", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(right: int, n: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= right <= n"):
        wilson_interval(right, n)


@pytest.mark.parametrize(
    ("degrees", "expected"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (24, 2.0639), (1000, 1.9623)]
)
def test_students_t_is_that_of_the_tables(degrees: int, expected: float) -> None:
    assert students_t_95(degrees) == pytest.approx(expected, abs=5e-5)


def test_the_interval_of_folds_allows_for_shared_training_samples() -> None:
    """Two folds: a naive t interval would leave out the 1 / (folds - 1), here twice the whole variance."""
    half_width = 12.7062 * math.sqrt((1 / 2 + 1) * 0.02)

    assert repeated_folds_interval([0.8, 1.0], folds=2) == pytest.approx((0.9 - half_width, 0.9 + half_width), abs=1e-4)


def test_repeating_folds_narrows_the_interval_but_never_below_what_one_training_set_can_tell() -> None:
    once, often = [0.8, 0.9, 1.0, 0.9, 0.8], [0.8, 0.9, 1.0, 0.9, 0.8] * 200

    low, high = repeated_folds_interval(often, folds=5)

    assert high - low < once_width(once)
    assert (high - low) / 2 > 1.95 * math.sqrt(1 / 4) * 0.07


def once_width(values: list[float]) -> float:
    low, high = repeated_folds_interval(values, folds=5)
    return high - low


def test_equal_values_leave_no_doubt() -> None:
    assert repeated_folds_interval([0.5] * 5, folds=5) == (0.5, 0.5)


@pytest.mark.parametrize(("values", "folds"), [([0.5], 5), ([], 5), ([0.5, 0.6], 1)])
def test_a_single_value_has_no_interval(values: list[float], folds: int) -> None:
    with pytest.raises(ValueError, match="at least 2 of each"):
        repeated_folds_interval(values, folds=folds)


def coverage(sizes: Sequence[int], share: float, *, alike: bool) -> float:
    """How often the interval holds the share that the pictures were drawn with, in 400 draws."""
    random, groups = np.random.default_rng(0), [str(group) for group, size in enumerate(sizes) for _ in range(size)]
    held = 0
    for _ in range(400):
        draws = random.random(len(sizes)).repeat(sizes) if alike else random.random(sum(sizes))
        low, high = grouped_interval(draws < share, groups)
        held += low <= share <= high
    return held / 400


@pytest.mark.parametrize("sizes", [[10] * 30, [50] * 15, [5] * 100, [1] * 50 + [50], [1] * 95 + [2] * 5])
def test_the_interval_of_groups_holds_the_share_whether_they_are_alike_or_not(sizes: list[int]) -> None:
    """As if every picture stood for itself, 15 groups of 50 alike would be held in 28 of 100 draws."""
    for share in (0.7, 0.9):
        assert coverage(sizes, share, alike=True) > 0.92
        assert coverage(sizes, share, alike=False) > 0.92


def test_pictures_that_stand_for_themselves_have_the_plain_interval() -> None:
    right = np.arange(40) < 31

    assert grouped_interval(right, [str(row) for row in range(40)]) == wilson_interval(31, 40)


def test_a_picture_copied_sixty_times_is_one_picture() -> None:
    """Ten pictures that are all right prove little; one of them again and again proves no more."""
    groups = [str(row) for row in range(10)] + ["0"] * 60

    assert grouped_interval(np.ones(70, dtype=bool), groups)[0] < wilson_interval(10, 10)[0]


def test_one_group_alone_says_nearly_nothing() -> None:
    low, high = grouped_interval(np.arange(100) < 80, ["site"] * 100)

    assert high - low > 0.9


def test_the_standard_error_of_single_pictures_is_the_usual_one() -> None:
    """1, 2, 3, 6: mean 3, sum of squares 14; sqrt(14 / 3) / 2."""
    assert standard_error(np.array([1.0, 2.0, 3.0, 6.0]), ["a", "b", "c", "d"]) == pytest.approx(1.0801, abs=1e-4)


def test_copies_of_a_picture_leave_the_standard_error_as_it_is() -> None:
    """Here by hand for two series of two: excesses -3 and 3, sqrt(2 * 18) / 4."""
    values = np.array([1.0, 2.0, 3.0, 6.0])

    assert standard_error(values, ["a", "a", "b", "b"]) == pytest.approx(1.5)
    assert standard_error(np.repeat(values, 9), np.repeat(np.arange(4), 9)) == pytest.approx(1.0801, abs=1e-4)


def test_a_single_group_tells_nothing_of_its_error() -> None:
    assert standard_error(np.array([1.0, 2.0]), ["a", "a"]) == np.inf
