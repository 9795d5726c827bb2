"""Near duplicates: pictures that are one picture, resized, encoded again, brightened, cropped a little or turned."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.counting import counted
from trainer.like_pairs import FoundPairs, find_pairs
from trainer.likeness import best_turns, correlate
from trainer.likeness_threshold import calibrate
from trainer.linkage import Pair, link
from trainer.patterns import are_telling, patterns_of
from trainer.picture_statistics import StatisticsTable

_MOST_OF_A_CLASS = 0.05
_ALWAYS_MERGED = 5


@dataclass(frozen=True, slots=True)
class LikePair:
    """Two rows whose pictures are alike.

    Attributes:
        first: a row number.
        second: a larger one.
        correlation: of their patterns after alignment, at most 1.
        turned: one is mirrored or turned by quarters.
    """

    first: int
    second: int
    correlation: float
    turned: bool


@dataclass(frozen=True)
class Likeness:
    """Which rows show one picture. Of rows that are byte for byte the same only the first is named.

    Attributes:
        pairs: those found to be alike, the most alike first. Not all are in one group.
        threshold: the correlation from which on a pair is alike.
        groups: two or more rows each, all of a group alike: what must not be torn apart.
        oversized: groups that hold more than 5 % of a class, and more than 5 pictures of it: not in `groups`.
        note: a sentence on what could not be compared, None if there is nothing to say.
    """

    pairs: tuple[LikePair, ...]
    threshold: float
    groups: tuple[tuple[int, ...], ...]
    oversized: tuple[tuple[int, ...], ...]
    note: str | None


def _unheard(_rows: int) -> None:
    """Nobody wants to know how far it is."""


def find_near_duplicates(
    statistics: StatisticsTable, targets: NDArray[np.int64], *, on_rows: Callable[[int], None] = _unheard
) -> Likeness:
    """Compare the small grey pictures of all rows.

    The result depends on the pictures and their labels only: not on the backbone, and not on the order of the rows.

    Args:
        statistics: N rows.
        targets: shape (N,), class indices.
        on_rows: told of every few rows that are done, N in all.
    """
    rows = _distinct(statistics.digests)
    telling = rows[are_telling(statistics.grey[rows])]
    untold = len(rows) - len(telling)
    on_rows(len(targets) - (len(telling) if len(telling) > 1 else 0))  # what is not compared is done
    if len(telling) < 2:
        return Likeness((), threshold=1.0, groups=(), oversized=(), note=_note(untold, are_separate=True))
    grey = statistics.grey[telling]
    calibration = calibrate(grey, targets[telling])
    found = find_pairs(grey, calibration.threshold, on_rows=on_rows)

    patterns = patterns_of(grey)

    def alike(pairs: Sequence[Pair]) -> bool:
        first, second = np.array(pairs).T
        unsure = best_turns(patterns[first], patterns[second])[0] < calibration.together  # alignment only adds to it
        correlations, _ = correlate(grey[first[unsure]], grey[second[unsure]])
        return bool((correlations >= calibration.together).all())

    linked = link(zip(found.first.tolist(), found.second.tolist(), strict=True), alike)
    groups = sorted(tuple(sorted(telling[list(group)].tolist())) for group in linked)
    sizes = Counter(targets[rows].tolist())
    oversized = tuple(group for group in groups if _holds_too_much(targets[list(group)], sizes))
    return Likeness(
        pairs=_as_rows(found, telling),
        threshold=calibration.threshold,
        groups=tuple(group for group in groups if group not in oversized),
        oversized=oversized,
        note=_note(untold, are_separate=calibration.copies > calibration.different),
    )


def _distinct(digests: Sequence[str]) -> NDArray[np.int64]:
    """The first row of each digest, in the order of the digests."""
    first: dict[str, int] = {}
    for row, digest in enumerate(digests):
        first.setdefault(digest, row)
    return np.array([first[digest] for digest in sorted(first)], dtype=np.int64)


def _note(untold: int, *, are_separate: bool) -> str | None:
    parts = [
        f"{counted(untold, 'picture')} with too little to see in them could not be compared" if untold else "",
        "" if are_separate else "cropped copies cannot be told from different pictures here, and are not looked for",
    ]
    return "; ".join(part for part in parts if part) or None


def _holds_too_much(targets: NDArray[np.int64], sizes: Mapping[int, int]) -> bool:
    held = Counter(targets.tolist())
    return any(count > max(_ALWAYS_MERGED, _MOST_OF_A_CLASS * sizes[target]) for target, count in held.items())


def _as_rows(found: FoundPairs, rows: NDArray[np.int64]) -> tuple[LikePair, ...]:
    ends = np.sort(np.stack([rows[found.first], rows[found.second]], axis=1), axis=1)
    columns = (ends[:, 0], ends[:, 1], found.correlation, found.turn > 0)
    return tuple(LikePair(*values) for values in zip(*(column.tolist() for column in columns), strict=True))
