"""Which of many pictures are alike: a few candidates for each, found by their patterns, then compared in full."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.likeness import best_turns, correlate
from trainer.neighbours import nearest
from trainer.patterns import coarse, patterns_of, turnless

_NEIGHBOURS = (3, 12, 48)
_ROWS_AT_ONCE = 2048
_PAIRS_AT_ONCE = 4096
_WORTH_ALIGNING = 0.5
"""Patterns of a copy correlate by this much before they are aligned, in all but 2 % of copies cropped by 6 %."""


@dataclass(frozen=True)
class FoundPairs:
    """P pairs of rows, arrays of length P: two rows, the smaller first, their correlation, and orientation."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    correlation: NDArray[np.float64]
    turn: NDArray[np.int64]


def find_pairs(grey: NDArray[np.uint8], threshold: float, *, on_rows: Callable[[int], None]) -> FoundPairs:
    """All pairs that correlate by the threshold or more, most alike first, as far as candidates have found them.

    Candidates are the three pictures with the most similar patterns, as they are and in any orientation. A picture
    that has as many that are alike may have more, and is asked for its nearest 12, then 48.

    Args:
        grey: shape (N, 32, 32).
        threshold: a correlation.
        on_rows: told of every few rows whose candidates have been compared, N in all. The few rows that are asked
            again do not count again.
    """
    patterns = patterns_of(grey)
    searched = (coarse(patterns), coarse(turnless(patterns)))
    asked, tried = np.arange(len(grey)), np.empty(0, dtype=np.int64)
    found: list[FoundPairs] = []
    for count in _NEIGHBOURS:
        for part in _parts(asked, _ROWS_AT_ONCE):
            candidates = np.unique(np.concatenate([_codes(part, nearest(kind, part, count)) for kind in searched]))
            new = np.setdiff1d(candidates, tried, assume_unique=True)
            found.append(_confirm(grey, patterns, new, threshold))
            tried = np.union1d(tried, new)
            if count == _NEIGHBOURS[0]:
                on_rows(len(part))
        ends = np.concatenate([end for one in found for end in (one.first, one.second)])
        asked = np.flatnonzero(np.bincount(ends, minlength=len(grey)) >= count)
        if not len(asked):
            break
    return _most_alike_first(found)


def _parts(values: NDArray[np.int64], at_once: int) -> Iterator[NDArray[np.int64]]:
    return (values[start : start + at_once] for start in range(0, len(values), at_once))


def _codes(asked: NDArray[np.int64], neighbours: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each pair as one number, whichever of the two was asked."""
    first, second = np.repeat(asked, neighbours.shape[1]), neighbours.ravel()
    codes: NDArray[np.int64] = np.minimum(first, second) << 32 | np.maximum(first, second)
    return codes


def _confirm(
    grey: NDArray[np.uint8], patterns: NDArray[np.float32], codes: NDArray[np.int64], threshold: float
) -> FoundPairs:
    first, second = codes >> 32, codes & 0xFFFFFFFF
    parts = list(_parts(np.arange(len(codes)), _PAIRS_AT_ONCE))
    unaligned = [best_turns(patterns[first[part]], patterns[second[part]])[0] for part in parts]
    worth = np.concatenate([np.empty(0), *unaligned]) >= _WORTH_ALIGNING
    first, second = first[worth], second[worth]
    correlation, turn = correlate(grey[first], grey[second])
    alike = correlation >= threshold
    return FoundPairs(first[alike], second[alike], correlation[alike], turn[alike])


def _most_alike_first(found: list[FoundPairs]) -> FoundPairs:
    first, second, correlation, turn = (
        np.concatenate([getattr(one, name) for one in found]) for name in ("first", "second", "correlation", "turn")
    )
    order = np.lexsort((second, first, -correlation))
    return FoundPairs(first[order], second[order], correlation[order], turn[order])
