"""How sure the difference is between two heads that were measured on the same samples."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.intervals import Z_95, Interval, students_t_95


def paired_interval(before: NDArray[np.bool_], after: NDArray[np.bool_], groups: Sequence[str]) -> Interval:
    """95 % interval of the rise in accuracy from one head to another on the same samples.

    Groups count, not samples: one is better or worse by the balance of its samples. Where none changed, nothing seen
    leaves a change of about 2 in the number of groups possible.

    Args:
        before, after: shape (N,), whether each head was right.
        groups: N group ids.

    Source: A. Agresti and Y. Min, Simple improved confidence intervals for comparing matched proportions, Statistics
    in Medicine 24 (2005): half a sample is added to each cell of the table of four.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    change = np.bincount(group, after.astype(np.float64) - before)
    return interval_of_changes(float((change > 0).sum()), float((change < 0).sum()), len(change))


def interval_of_changes(better: float, worse: float, groups: float) -> Interval:
    """`paired_interval` of so many groups, of which so many are better and worse than before; none need be whole."""
    better, worse, n = better + 0.5, worse + 0.5, groups + 2
    mean = (better - worse) / n
    half_width = Z_95 * float(np.sqrt(better + worse - (better - worse) ** 2 / n)) / n
    return mean - half_width, mean + half_width


def paired_loss_interval(falls: NDArray[np.float64], groups: Sequence[str], guessing: float) -> Interval:
    """95 % interval of how far one head's mean loss is below another's on the same samples, in the unit of the losses.

    Groups count, not samples. As in `paired_interval` half a group is added on either side: one on which the second
    head answers where the first one guesses, and the other way round. What has not shown yet is mostly a large loss.

    Args:
        falls: shape (N,), what each sample's loss falls by from the first head to the second.
        groups: N group ids.
        guessing: the loss of an answer that is guessed.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sums, sizes = np.bincount(group, falls), np.bincount(group).astype(np.float64)
    size = float(sizes.mean())
    total = float(sizes.sum()) + size
    mean = float(sums.sum()) / total
    added = [(side * guessing - mean) * size for side in (-1.0, 1.0)]
    squares = float(np.square(sums - sizes * mean).sum()) + sum(one * one for one in added) / 2
    spread = math.sqrt((len(sums) + 1) / len(sums) * squares) / total
    effective = int(sizes.sum() ** 2 / np.square(sizes).sum() + 1e-9)
    half_width = students_t_95(max(1, effective - 1)) * spread
    return mean - half_width, mean + half_width
