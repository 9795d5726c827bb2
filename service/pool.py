"""Hands out lanes: first come, first served, in bounded number and for a bounded wait. Knows no ONNX.

ONNX Runtime's `Run` may be called from many threads, so lanes are not for safety. They are a CPU budget, shared by
all models of the process, and the place where more work than the machine can do is refused early.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from service.errors import PoolClosed, PoolTimeout, TooManyWaiting
from service.waiting_line import Lane, Waiter, WaitingLine


def in_seconds(seconds: float) -> float:
    """A deadline: that far from now, on the clock that pools use."""
    return time.monotonic() + seconds


@dataclass(frozen=True)
class PoolStats:
    """What a pool is doing, and what it did since it was made. `waited_s` adds up the waits that ended in a lane."""

    lanes: int
    leased: int
    waiting: int
    granted_total: int
    refused_total: int
    timed_out_total: int
    waited_s: float


class Pool:
    """A fixed number of lanes, and the line before them.

    Args:
        lanes: how many requests may run at once.
        max_waiting: how many more may wait in each queue.
        clock: seconds, never going back; deadlines are read on it.
    """

    def __init__(self, *, lanes: int, max_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        if lanes < 1 or max_waiting < 0:
            raise ValueError(f"{lanes} lanes and {max_waiting} waiting; at least 1 and 0 are needed")
        self._lane_count, self._max_waiting, self._clock = lanes, max_waiting, clock
        self._lock = threading.Lock()
        self._free = [Lane(number) for number in reversed(range(lanes))]
        self._line = WaitingLine()  # invariant: a lane is free only while nobody waits
        self._closed = False
        self._granted = self._refused = self._timed_out = 0
        self._waited_s = 0.0

    def __repr__(self) -> str:
        stats = self.stats()
        return f"Pool({stats.leased} of {stats.lanes} lanes leased, {stats.waiting} waiting)"

    @contextlib.contextmanager
    def lease(self, deadline: float, *, queue: str = "") -> Iterator[Lane]:
        """A lane for the length of a `with` block; the calling thread waits for it.

        Args:
            deadline: as `in_seconds` gives it.
            queue: where to wait; queues take turns, so that one model's crowd does not starve another's.

        Raises:
            TooManyWaiting: the queue is full; at once.
            PoolTimeout: no lane was free before the deadline.
            PoolClosed: no new leases are given.
        """
        awake = threading.Event()
        waiter = self.enter(queue, deadline, awake.set)
        try:
            if waiter.lane is None:
                awake.wait(max(0.0, deadline - self._clock()))
            yield self._lane_of(waiter)
        finally:
            self.leave(waiter)

    @contextlib.asynccontextmanager
    async def lease_async(self, deadline: float, *, queue: str = "") -> AsyncIterator[Lane]:
        """The same for a task: waiting costs no thread, and a cancelled waiter gives its place or lane away."""
        loop, awake = asyncio.get_running_loop(), asyncio.Event()
        waiter = self.enter(queue, deadline, lambda: loop.call_soon_threadsafe(awake.set))
        try:
            if waiter.lane is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, deadline - self._clock())):
                        await awake.wait()
            yield self._lane_of(waiter)
        finally:
            self.leave(waiter)

    def enter(self, queue: str, deadline: float, wake: Callable[[], object]) -> Waiter:
        """Take a free lane or a place in the line. Each `enter` needs one `leave`; `lease` does both.

        Returns:
            One who has a lane already, or is woken when there is one for it or none will come.

        Raises:
            TooManyWaiting, PoolClosed: as `lease`; there is then nothing to leave.
        """
        now = self._clock()
        waiter = Waiter(queue=queue, entered=now, deadline=deadline, wake=wake)
        with self._lock:
            self._refuse_if_full(queue)
            if deadline > now and self._free:
                self._grant(waiter, self._free.pop(), now)
            elif deadline > now:
                self._line.join(waiter)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Give back the lane, or the place in the line; a lane goes straight to the next one waiting."""
        with self._lock:
            self._line.leave(waiter)
            lane, waiter.lane = waiter.lane, None
            following = self._hand_on(lane) if lane is not None else None
        if following is not None:
            following.wake()

    def check_admission(self, queue: str = "") -> None:
        """Refuse now what `lease` would refuse, before anything costly is done. Raises as `lease`."""
        with self._lock:
            self._refuse_if_full(queue)

    def close(self) -> None:
        """Give no new leases and send everyone who waits away; leases that are out end as they would."""
        with self._lock:
            self._closed = True
            dismissed = list(self._line.empty())
        for waiter in dismissed:
            waiter.wake()

    def stats(self) -> PoolStats:
        """Counts that belong together, read at one moment."""
        with self._lock:
            return PoolStats(
                lanes=self._lane_count,
                leased=self._lane_count - len(self._free),
                waiting=len(self._line),
                granted_total=self._granted,
                refused_total=self._refused,
                timed_out_total=self._timed_out,
                waited_s=self._waited_s,
            )

    def _refuse_if_full(self, queue: str) -> None:
        if self._closed:
            raise PoolClosed
        if not self._free and self._line.length(queue) >= self._max_waiting:
            self._refused += 1
            raise TooManyWaiting(waiting=self._line.length(queue), lanes=self._lane_count)

    def _grant(self, waiter: Waiter, lane: Lane, now: float) -> None:
        waiter.lane = lane
        self._granted += 1
        self._waited_s += now - waiter.entered

    def _hand_on(self, lane: Lane) -> Waiter | None:
        now = self._clock()
        following = self._line.next(now)
        if following is None:
            self._free.append(lane)
        else:
            self._grant(following, lane, now)
        return following

    def _lane_of(self, waiter: Waiter) -> Lane:
        with self._lock:
            if waiter.lane is not None:
                return waiter.lane
            if self._closed:
                raise PoolClosed
            self._timed_out += 1
            raise PoolTimeout(waited_s=self._clock() - waiter.entered, waiting=len(self._line))
