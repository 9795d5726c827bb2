"""trainer/jackknife.py: intervals of numbers that are no share of pictures."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.interval_coverage import Case, draw, truth
from trainer.jackknife import MacroIntervals, loss_interval, macro_intervals, without_each_group
from trainer.metrics import macro_accuracy, macro_f1


def scored(n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(3), size=n)
    return probabilities, np.array([random.choice(3, p=row) for row in probabilities])


def widths(found: MacroIntervals) -> list[float]:
    return [high - low for low, high in (found.macro_accuracy, found.macro_f1, found.log_loss)]


@pytest.mark.parametrize("groups", [5, 10, 30, 100])
def test_the_intervals_hold_the_true_numbers_about_as_often_as_they_say(groups: int) -> None:
    """Series of five pictures, half alike: a bootstrap over 5 groups held the log loss in 7 of 10 draws."""
    case, random = Case(classes=2, even=True, strength=3.0, size=5, alike=0.5), np.random.default_rng(0)
    true = truth(case, random)

    found = [macro_intervals(*draw(case, groups, random)) for _ in range(200)]

    for name, value in zip(("macro_accuracy", "macro_f1", "log_loss"), true, strict=True):
        bounds = np.array([getattr(one, name) for one in found])
        assert ((bounds[:, 0] <= value) & (value <= bounds[:, 1])).mean() > 0.9, name


def test_more_pictures_make_them_narrower_as_the_root_of_their_number() -> None:
    few, many = (widths(macro_intervals(*scored(n), np.arange(n))) for n in (200, 3200))

    assert np.array(many) / few == pytest.approx([1 / 4] * 3, rel=0.35)


def test_copies_make_none_of_them_narrower() -> None:
    probabilities, targets = scored(50)

    once = macro_intervals(probabilities, targets, np.arange(50))
    copied = macro_intervals(np.tile(probabilities, (8, 1)), np.tile(targets, 8), np.tile(np.arange(50), 8))

    assert all(more >= less - 1e-9 for more, less in zip(widths(copied), widths(once), strict=True))


@pytest.mark.parametrize("n", [1, 2, 12])
@pytest.mark.parametrize("right", [True, False])
def test_no_interval_is_without_width(n: int, *, right: bool) -> None:
    """All right, or all wrong, or a single picture: nobody knows it that exactly."""
    probabilities = np.tile([[0.9, 0.1] if right else [0.1, 0.9]], (n, 1))

    found = macro_intervals(probabilities, np.zeros(n, np.int64), np.arange(n))

    assert min(widths(found)) > 0.05


def test_a_loss_that_is_that_of_guessing_or_none_at_all_has_an_interval_too() -> None:
    """Every picture alike: the one further group that is allowed for is like them, too."""
    low, high = loss_interval(np.full(4, math.log(2)), np.arange(4), math.log(2))
    none_low, none_high = loss_interval(np.zeros(4), np.arange(4), math.log(2))

    assert low < math.log(2) < high <= -math.log(1e-15)
    assert none_low == 0 < none_high


def test_a_class_of_one_picture_makes_the_mean_over_classes_as_doubtful_as_it_is() -> None:
    """Nine of one label and one of another: half of the macro accuracy hangs on a single picture."""
    probabilities = np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]])

    low, high = macro_intervals(probabilities, np.array([0] * 9 + [1]), np.arange(10)).macro_accuracy

    assert high == 1.0
    assert low < 0.6


def test_leaving_out_each_group_is_what_measuring_without_it_gives() -> None:
    """The quick way by sums and the slow one by the definitions agree, so the widths are those of the definitions."""
    probabilities, targets = scored(60)
    group, n = np.arange(60) // 4, 15
    slow = np.array(
        [
            [measure(probabilities[group != g], targets[group != g]) for g in range(n)]
            for measure in (macro_accuracy, macro_f1)
        ]
    )

    quick = without_each_group(targets, probabilities.argmax(axis=1), group, 3)

    assert np.array(quick) == pytest.approx(slow)
