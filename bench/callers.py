"""Callers who each ask again as soon as they are answered, without HTTP: throughput and latency."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from bench.machine import cores_spent

WARM_S = 0.15  # of every point, before it counts
QUIET_SHARE, QUIET_LOOK_S, QUIET_WITHIN_S = 0.1, 0.02, 3.0


@dataclass(frozen=True)
class LoopFigures:
    """What was seen of some callers for some time.

    Attributes:
        per_s: answers a second.
        median_ms: from asking to the answer.
        p99_ms: that of the 99th percentile.
        processor_ms: time of the processor for an answer, of all threads.
        others: cores that other programs used meanwhile, on average; 0 where the system does not tell.
    """

    per_s: float
    median_ms: float
    p99_ms: float
    processor_ms: float
    others: float = 0.0


async def drive(
    ask: Callable[[], Awaitable[object]],
    *,
    callers: int,
    seconds: float,
    begin: Callable[[], object] = lambda: None,
    warm_s: float = WARM_S,
) -> LoopFigures:
    """Let callers ask in a closed loop.

    Args:
        ask: one request.
        callers: how many are under way at any time.
        seconds: for how long it counts.
        begin: called when it begins to count.
        warm_s: for how long before, at least; all callers have been answered then, on average.
    """
    latencies, over = list[float](), False

    async def call() -> None:
        while not over:
            asked = time.perf_counter()
            await ask()
            latencies.append(time.perf_counter() - asked)

    tasks = [asyncio.create_task(call()) for _ in range(callers)]
    await asyncio.sleep(warm_s)
    while len(latencies) < callers:  # the first ones of a crowd had a shorter line before them
        await asyncio.sleep(0.001)
    latencies.clear()
    begin()
    began, used, busy = time.perf_counter(), time.process_time(), cores_spent().busy_s
    await asyncio.sleep(seconds)
    took, used, busy = time.perf_counter() - began, time.process_time() - used, cores_spent().busy_s - busy
    counted = list(latencies)
    over = True
    await asyncio.gather(*tasks)
    return figures_of(counted, took_s=took, processor_s=used, others_s=max(0.0, busy - used))


def figures_of(latencies: list[float], *, took_s: float, processor_s: float, others_s: float = 0.0) -> LoopFigures:
    """From the latencies, in s, of what was answered meanwhile.

    Raises:
        ValueError: nothing was.
    """
    if not latencies:
        raise ValueError(f"nothing was answered within {took_s:.1f} s; measure for longer")
    median, p99 = np.percentile(latencies, [50, 99]) * 1000
    processor_ms = 1000 * processor_s / len(latencies)
    return LoopFigures(len(latencies) / took_s, float(median), float(p99), processor_ms, others_s / took_s)


def wait_until_quiet() -> None:
    """Return once no thread of this process is busy: those that spin go on for a while after a run."""
    give_up = time.monotonic() + QUIET_WITHIN_S
    while time.monotonic() < give_up:
        used = time.process_time()
        time.sleep(QUIET_LOOK_S)
        if time.process_time() - used < QUIET_SHARE * QUIET_LOOK_S:
            return
