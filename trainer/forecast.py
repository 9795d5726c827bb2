"""How long a stretch of work will take, judged by its first steps, and said before it goes on."""

import time
from collections.abc import Callable, Iterator
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
        rate = (len(first) - 1) / elapsed_s
        left_s = (total - len(first)) / rate
        progress.say(
            f"{counted(total, 'picture')} to {verb}: about {duration(left_s)} at {rate:,.1f}/s, judged by the first "
            f"{len(first) - 1}.",
            estimate_s=round(left_s, 1),
            rate_per_s=round(rate, 2),
        )
    return first
