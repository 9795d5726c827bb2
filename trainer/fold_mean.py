"""A number measured in every fold: its mean, and an interval that knows how few pictures the folds hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.intervals import Interval, repeated_folds_interval


@dataclass(frozen=True)
class FoldMean:
    """A number's mean over all folds and repetitions, with its 95 % interval (see `mean_over_folds`)."""

    mean: float
    interval: Interval


def mean_over_folds(
    values: Sequence[float], *, folds: int, pooled: Sequence[Interval], least: float = 0.0, most: float = 1.0
) -> FoldMean:
    """The mean and the wider of two intervals: that over folds, and that of all held-out samples taken together.

    Folds of few samples agree by chance, and an interval over folds then has no width; the samples together say how
    much they can tell. The other way round, only the folds know how much a head depends on what it was fitted on.

    Args:
        values: of the number, one for each fold of each repetition, at least two.
        folds: of each repetition, at least 2.
        pooled: for each repetition, the interval of the number on its held-out samples.
        least, most: that the number can be.

    Raises:
        ValueError: see `repeated_folds_interval`.
    """
    mean, of_folds = float(np.mean(values)), repeated_folds_interval(values, folds=folds)
    together = float(np.mean([low for low, _ in pooled])), float(np.mean([high for _, high in pooled]))
    low, high = max(of_folds, together, key=lambda interval: interval[1] - interval[0])
    return FoldMean(mean, (max(least, min(low, mean)), min(most, max(high, mean))))
