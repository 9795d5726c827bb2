"""Pictures that are unlike all others of a data set: far, in feature space, even from their nearest neighbours.

A mislabelled picture is none: it lies among the pictures of another label.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.rows import Rows, blocks, gather
from trainer.standardise import standardisation

NEIGHBOURS = 5
"""An outlier may have a few of its kind; that many together are a kind of picture of the data set."""

FEWEST_GROUPS = 30
"""With fewer, nothing can be said about what is usual."""

_MOST_REFERENCES = 2000
_ROWS_AT_ONCE = 512
_FAR = 3.5  # robust standard deviations above the median: about 1 of 4,000 if distances were normal


@dataclass(frozen=True, slots=True)
class Outlier:
    """A sample that is far from all others.

    Attributes:
        row: of the sample.
        ratio: its distance over the typical one of the data set, above 1.
    """

    row: int
    ratio: float


def find_outliers(features: Rows, groups: Sequence[str]) -> tuple[Outlier, ...]:
    """Samples whose fifth-nearest neighbour is unusually far, the farthest first.

    Distance is Euclidean on features of unit length, then standardised (the length says how much there is to see, and
    would hide plain pictures), to one sample each of at most 2,000 other groups. Unusual is more
    than 3.5 robust standard deviations above the median, where the deviation is the larger of that around the median
    (1.4826 times the median absolute deviation) and that of the upper tail (the ninth decile), so that data sets with
    a long tail of rare pictures do not call all of them outliers.

    Args:
        features: shape (N, D).
        groups: N group ids; samples of one group are no neighbours of each other.

    Sources: S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for mining outliers from large data sets", SIGMOD
    2000; unit length: Y. Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022.
    """
    references = _one_of_each(groups)[:_MOST_REFERENCES]
    if len(references) < FEWEST_GROUPS:
        return ()
    group_of = np.unique(groups, return_inverse=True)[1]
    distances = _neighbour_distances(features, group_of, references)
    typical = float(np.median(distances))
    if typical == 0:  # most pictures are in heaps of the same
        return ()
    far = np.flatnonzero(distances > typical + _FAR * _deviation(distances, typical))
    ranked = sorted(far.tolist(), key=lambda row: (-distances[row], groups[row], row))
    return tuple(Outlier(row, float(distances[row]) / typical) for row in ranked)


def _one_of_each(groups: Sequence[str]) -> NDArray[np.int64]:
    """A row of each group, in the order of group ids: these are digests, so any first part of them is a fair sample."""
    first: dict[str, int] = {}
    for row, group in enumerate(groups):
        first.setdefault(group, row)
    return np.array([first[group] for group in sorted(first)], dtype=np.int64)


def _neighbour_distances(
    features: Rows, groups: NDArray[np.int64], references: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Of each row to its fifth-nearest reference of another group; a few rows at a time, so little memory is needed."""
    units, their_groups = _unit(gather(features, references)), groups[references]
    mean, std = standardisation(units)
    others = (units - mean) / std
    squares = np.einsum("nd,nd->n", others, others)
    found = np.empty(len(features))
    for start, few in _few_at_once(features):
        rows, part = (_unit(few) - mean) / std, slice(start, start + len(few))
        squared = np.einsum("nd,nd->n", rows, rows)[:, None] + squares - 2 * rows @ others.T
        squared[groups[part, None] == their_groups] = np.inf
        nearest = np.partition(squared, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
        found[part] = np.sqrt(np.maximum(nearest, 0))
    return found


def _few_at_once(features: Rows) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for begin, block in blocks(features):
        for start in range(0, len(block), _ROWS_AT_ONCE):
            yield begin + start, block[start : start + _ROWS_AT_ONCE]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; a row of zeros stays."""
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def _deviation(distances: NDArray[np.float64], typical: float) -> float:
    """A robust standard deviation; 1.4826 and 1.2816 make both estimates that of a normal distribution."""
    around = 1.4826 * float(np.median(np.abs(distances - typical)))
    tail = (float(np.quantile(distances, 0.9)) - typical) / 1.2816
    return max(around, tail)
