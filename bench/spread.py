"""Figures of several rounds: their middle and how far they spread; ratios are taken round by round."""

import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Spread(NamedTuple):
    """The median of some figures, and their quartiles."""

    median: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """`1.02 [0.99, 1.05]`; the spec is applied to each of the three."""
        return f"{self.median:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def spread(figures: Sequence[float]) -> Spread:
    """Median and quartiles; of one figure, that figure thrice.

    Raises:
        ValueError: there is no figure.
    """
    if not figures:
        raise ValueError("there is no figure to take a median of")
    if len(figures) == 1:
        return Spread(figures[0], figures[0], figures[0])
    low, middle, high = statistics.quantiles(figures, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours over theirs, paired by round, so that what disturbed a whole round disturbs both sides of its ratio.

    Raises:
        ValueError: the rounds do not pair up, or there is none.
    """
    return spread([mine / other for mine, other in zip(ours, theirs, strict=True)])


def turns(contenders: Sequence[T], rounds: int, *, seed: int = 0) -> list[list[T]]:
    """For each round the contenders in an order of its own, drawn by a seed, so that none always goes first."""
    drawn = random.Random(seed)  # noqa: S311 -- an order, not a secret
    return [drawn.sample(contenders, len(contenders)) for _ in range(rounds)]
