"""How many pictures a second contenders featurise."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recipes.nano.contenders import Contender, prepare

TIMED_PICTURES = 16


class Rate(NamedTuple):
    """Pictures a second: by processor time, which a neighbour on the machine disturbs less, and by the clock."""

    by_processor: float
    by_clock: float


def images_per_s(contenders: Sequence[Contender], encoded: Sequence[bytes], *, threads: int, rounds: int) -> list[Rate]:
    """Pictures featurised a second on `threads` threads, decoding included.

    Rounds are interleaved, so that all contenders meet the same neighbours, and the best one counts.
    """
    works = [lambda data, one=one: one.of_pixels(prepare(data, one.spec)) for one in contenders]
    return _best_rates(works, [encoded] * len(contenders), threads, rounds)


def runs_per_s(contenders: Sequence[Contender], *, threads: int, rounds: int) -> list[Rate]:
    """The same from prepared pixels to features, without decoding."""
    rng = np.random.default_rng(0)
    pixels: list[Sequence[NDArray[np.uint8]]] = [
        [rng.integers(0, 256, (one.spec.height, one.spec.width, 3), dtype=np.uint8)] * TIMED_PICTURES
        for one in contenders
    ]
    return _best_rates([one.of_pixels for one in contenders], pixels, threads, rounds)


def _best_rates(
    works: Sequence[Callable[..., object]], inputs: Sequence[Sequence[object]], threads: int, rounds: int
) -> list[Rate]:
    best = [Rate(0.0, 0.0)] * len(works)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            for place, (work, items) in enumerate(zip(works, inputs, strict=True)):
                work(items[0])
                found = _time_round(pool, work, items, threads)
                best[place] = Rate(*map(max, best[place], found))
    return best


def _time_round(pool: ThreadPoolExecutor, work: Callable[..., object], items: Sequence[object], threads: int) -> Rate:
    processor, clock = time.process_time(), time.perf_counter()
    list(pool.map(work, items))
    taken, passed = time.process_time() - processor, time.perf_counter() - clock
    return Rate(threads * len(items) / taken, len(items) / passed)
