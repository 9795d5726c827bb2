"""Which accuracy is read first, by which one settings are compared, and what a gap between two of them means."""

import math
from dataclasses import dataclass

from trainer.intervals import Interval

SMALL_FROM_WIDTH = 0.1
"""A test split is small where the 95 % interval of its accuracy is wider."""

_LARGE_GAP, _A_POINT = 0.05, 0.01


@dataclass(frozen=True)
class Measurement:
    """An accuracy.

    Attributes:
        n: pictures it was measured on.
        accuracy: in [0, 1].
        interval: 95 % interval.
    """

    n: int
    accuracy: float
    interval: Interval

    @property
    def width(self) -> float:
        """Of the interval, in [0, 1]."""
        return self.interval[1] - self.interval[0]

    def __str__(self) -> str:
        """Such as "88.6 % (83.1 to 92.5 %) on 176 pictures"."""
        low, high = self.interval
        return f"{100 * self.accuracy:.1f} % ({100 * low:.1f} to {100 * high:.1f} %) on {self.n:,} pictures"


@dataclass(frozen=True)
class Headline:
    """What was measured, each None where it was not.

    Attributes:
        test: of the test split, or the named test set.
        cross_validated: of train and validation, by the folds that also chose the head.
        folds: of nested folds; it stands first, and settings are compared by it.
        fold_count: how many nested folds there are; 0 without.
    """

    test: Measurement | None
    cross_validated: Measurement | None
    folds: Measurement | None
    fold_count: int = 0

    @property
    def steadier(self) -> Measurement | None:
        """The cross-validated accuracy, where settings are to be compared by it: beside a small test split."""
        if self.folds or not self.test or not self.cross_validated or self.test.width <= SMALL_FROM_WIDTH:
            return None
        return self.cross_validated if self.cross_validated.width < self.test.width else None

    @property
    def compare_by(self) -> str:
        """By which number to compare settings, and why; "" where there is nothing to choose between, or no need."""
        if self.folds:
            return f"Compare settings by the nested folds' accuracy.{self._wide_folds()}"
        if not self.steadier or not self.test:
            return ""
        return (
            f"The test split is small. Compare settings by the cross-validated accuracy, {self.steadier}, not by "
            f"{self.test.n:,} test pictures; its folds also chose the head, which makes it slightly rosy. --folds 5 "
            "measures on every picture without that."
        )

    def _wide_folds(self) -> str:
        others = [one.width for one in (self.test, self.cross_validated) if one]
        if not self.folds or not others or self.folds.width <= max(others):
            return ""
        return (
            f" Its interval is wide because {self.fold_count} folds tell little of how much folds differ: "
            "more of them narrow it."
        )

    @property
    def gap(self) -> str:
        """What to think of test split and cross-validation where they are far apart; else ""."""
        if not self.test or not self.cross_validated:
            return ""
        apart = self.test.accuracy - self.cross_validated.accuracy
        low, high = difference_interval(self.test, self.cross_validated)
        by_chance = low <= 0 <= high
        if abs(apart) < (_LARGE_GAP if by_chance else _A_POINT):
            return ""
        found = (
            f"The test split is {100 * abs(apart):.1f} points {'below' if apart < 0 else 'above'} cross-validation "
            f"(95 % interval of the difference {_points(low)} to {_points(high)})"
        )
        if by_chance:
            return f"{found}: with {self.test.n:,} test pictures, chance alone may do that."
        return (
            f"{found}: more than chance explains. Its pictures may be of another kind than the others, or harder or "
            "easier; or pictures that belong together lie in several folds (--group-by). Look at its mistakes."
        )


def difference_interval(one: Measurement, other: Measurement) -> Interval:
    """95 % interval of the difference of two accuracies that were measured on different pictures, in [-1, 1].

    Source: R. Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine
    17 (1998), method 10: the distances of both shares from the ends of their intervals, squared and added.
    """
    apart = one.accuracy - other.accuracy
    below = math.hypot(one.accuracy - one.interval[0], other.interval[1] - other.accuracy)
    above = math.hypot(one.interval[1] - one.accuracy, other.accuracy - other.interval[0])
    return apart - below, apart + above


def _points(share: float) -> str:
    return f"{100 * share:.1f}".replace("-", "−")
