"""How long a stretch of work will take, judged by its first steps, and said before it goes on."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from trainer.counting import counted
from trainer.displays import duration
from trainer.in_order import LOT
from trainer.progress import Progress

FEWEST = 32
"""Fewer pictures are done before a forecast would be of use."""

_JUDGED_BY = 16

Row = TypeVar("Row")


def time_first(
    rows: Iterator[Row], *, total: int, verb: str, progress: Progress, clock: Callable[[], float] = time.monotonic
) -> list[Row]:
    """The first rows, after saying how long all of them will take; none, and nothing said, where there are few.

    The first of all is not timed: it waits for what runs once. Rows should come in an order that has nothing to do
    with how long they take.

    Args:
        rows: as they are computed; it goes on after those that are returned.
        total: how many there are.
        verb: what is done with the pictures.
        progress: told.
        clock: seconds from any fixed moment.
    """
    if total < FEWEST:
        return []
    first = list(islice(rows, 1))
    start = clock()
    first += islice(rows, min(_JUDGED_BY, total // 4 // LOT * LOT))  # whole lots, for the first row came with one
    if (elapsed_s := clock() - start) > 0 and len(first) > 1:
        _say(len(first) - 1, elapsed_s, done=len(first), total=total, verb=verb, progress=progress)
    return first


def time_first_lots(
    lots: Iterator[Sequence[Row]],
    *,
    workers: Callable[[], int],
    total: int,
    verb: str,
    progress: Progress,
    clock: Callable[[], float] = time.monotonic,
) -> list[Sequence[Row]]:
    """The same where rows come in lots, from several workers at about the same time: one lot of each is judged by.

    Args:
        lots: as they are computed; it goes on after those that are returned.
        workers: how many work on them, known when the first is done.
        total: rows in all lots.
        verb, progress, clock: as of `time_first`.
    """
    first = list(islice(lots, 1))
    if sum(map(len, first)) * 3 * workers() >= total:
        return first
    start = clock()
    first += islice(lots, workers())
    judged_by = sum(map(len, first[1:]))
    if (elapsed_s := clock() - start) > 0 and judged_by:
        done = judged_by + len(first[0])
        _say(judged_by, elapsed_s, done=done, total=total, verb=verb, progress=progress)
    return first


def _say(judged_by: int, elapsed_s: float, *, done: int, total: int, verb: str, progress: Progress) -> None:
    rate = judged_by / elapsed_s
    left_s = (total - done) / rate
    progress.say(
        f"{counted(total, 'picture')} to {verb}: about {duration(left_s)} at {rate:,.1f}/s, judged by the first "
        f"{judged_by}.",
        estimate_s=round(left_s, 1),
        rate_per_s=round(rate, 2),
    )
