"""Work spread over threads, results in the order of the input, and never more than a few of them in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")

LOT = 4
"""So many results are handed over at once: to wake the reader for each cost two threads 3 % of a picture's time."""

_AHEAD_PER_THREAD = 4


def in_order(items: Iterable[_In], work: Callable[[_In], _Out], *, threads: int) -> Iterator[_Out]:
    """Results of `work` in the order of `items`, at most four a thread ahead of whoever reads them.

    The reader is woken when a lot of them is done, with as much left to do. What `work` raises is raised here, after
    the results before it. When the reader stops, or is interrupted, nothing new is begun.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[_Out]] = deque()
        try:
            pending.extend(pool.submit(work, item) for item in islice(remaining, _AHEAD_PER_THREAD * threads))
            while pending:
                lot = min(LOT, _AHEAD_PER_THREAD // 2 * threads, len(pending))
                pending[lot - 1].exception()
                for _ in range(lot):
                    result = pending.popleft().result()
                    pending.extend(pool.submit(work, item) for item in islice(remaining, 1))
                    yield result
        finally:
            for future in pending:
                future.cancel()
