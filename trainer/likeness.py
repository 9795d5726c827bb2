"""How alike two small grey pictures are: the correlation of their patterns, the best over orientations and crops."""

import numpy as np
from numpy.typing import NDArray

from trainer.patterns import correlate_turned, correlate_with_crops, patterns_of, turned, unturned

_PAIRS_AT_ONCE = 32


def correlate(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The correlation of each pair of pictures after alignment, and the orientation that aligns them.

    Either picture may be the cropped one; the result does not depend on which is called the first, except that the
    orientation is that of the first. Rounded, so that it does not depend on how a processor sums up.

    Args:
        first: shape (P, 32, 32), uint8.
        second: likewise.

    Returns:
        Correlations in [-1, 1] and orientations (0: as it is), both of shape (P,).
    """
    correlations, turns = np.zeros(len(first)), np.zeros(len(first), dtype=np.int64)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        correlations[part], turns[part] = _correlate(first[part], second[part])
    return correlations, turns


def best_turns(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The correlation of pairs of patterns, each (P, F), in the best orientation of the first; without crops."""
    by_turn = correlate_turned(first, second).astype(np.float64).round(4)
    turns = by_turn.argmax(axis=1)
    return by_turn[np.arange(len(turns)), turns], turns


def _correlate(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    one, other = patterns_of(first), patterns_of(second)
    _, turns = best_turns(one, other)
    rows = np.arange(len(turns))
    onto_second = turned(one)[rows, turns]
    onto_first = turned(other)[rows, unturned(turns)]
    best = np.maximum(correlate_with_crops(onto_second, second), correlate_with_crops(onto_first, first))
    return best.astype(np.float64).round(4), turns
