"""Hands out lanes: first come, first served, in bounded number and for a bounded wait. Knows no ONNX.

ONNX Runtime's `Run` may be called from many threads, so lanes are not for safety. They are a budget of cores, shared
by all models of the process, and the place where more work than the machine can do is refused early.
"""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from service.budget import Budget
from service.lane import Lane
from service.pool_errors import PoolClosed, PoolTimeout
from service.pool_stats import PoolStats
from service.waiting_line import Fate, Waiter

logger = logging.getLogger(__name__)


def in_seconds(seconds: float) -> float:
    """A deadline: that far from now, on the clock that pools use."""
    return time.monotonic() + seconds


class Pool:
    """A budget of cores for many threads and tasks. A lease is one core, widened for a run while most are free.

    Args:
        lanes: how many requests may run at once, each on a core.
        max_waiting: how many more may wait in each queue.
        clock: seconds, never going back; deadlines are read on it.
    """

    def __init__(self, *, lanes: int, max_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = Budget(cores=lanes, max_waiting=max_waiting)
        self._clock = clock
        self._refused_elsewhere = 0
        self._lock = threading.Lock()  # held for a moment only; waiters are woken after it was let go

    def __repr__(self) -> str:
        stats = self.stats()
        return f"Pool({stats.leased} of {stats.lanes} lanes leased, {stats.waiting} waiting)"

    @contextlib.contextmanager
    def lease(self, deadline: float, *, queue: str = "", room: int | None = None) -> Iterator[Lane]:
        """A lane for the length of a `with` block; the calling thread waits for it.

        Args:
            deadline: as `in_seconds` gives it.
            queue: where to wait; queues take turns, so that one model's crowd does not starve another's.
            room: how many of the queue may be under way beyond those on cores, where a device does the rest of the work
                (`Lane.hand_over`); while as many are, their queue gets no lanes, and others do. None: any number.

        Raises:
            TooManyWaiting: the queue is full; at once.
            PoolTimeout: no lane was free before the deadline.
            PoolClosed: no new leases are given.
        """
        awake = threading.Event()
        waiter = self.enter(queue, deadline, awake.set, room=room)
        try:
            if waiter.fate is Fate.WAITING:
                awake.wait(max(0.0, deadline - self._clock()))
            yield self.lane_of(waiter)
        finally:
            self.leave(waiter)

    def enter(self, queue: str, deadline: float, wake: Callable[[], object], *, room: int | None = None) -> Waiter:
        """Take a free core or a place in the line. Each `enter` needs one `leave`; `lease` does both.

        Returns:
            One whose fate is decided already, or who is woken once it is.

        Raises:
            TooManyWaiting, PoolClosed: as `lease`; there is then nothing to leave.
        """
        with self._lock:
            now = self._clock()
            waiter = Waiter(queue=queue, entered=now, deadline=deadline, wake=wake, room=room)
            woken = self._budget.expire(now)
            refusal = self._budget.admit(queue, room)
            if refusal is None:
                self._budget.enter(waiter, now)
        self._wake(woken)
        if refusal is not None:
            raise refusal
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Give back the lane, or the place in the line; a lane goes straight to the next one waiting."""
        with self._lock:
            woken = self._budget.leave(waiter, self._clock())
        self._wake(woken)

    def lane_of(self, waiter: Waiter) -> Lane:
        """What one has waited for, once the fate is decided or the deadline has passed. Raises as `lease`."""
        self.give_up(waiter)  # nothing if its fate is decided; else its own clock was a little ahead
        if waiter.fate is Fate.GRANTED:
            return Lane(self, waiter)
        if waiter.fate is Fate.DISMISSED:
            raise PoolClosed
        if waiter.deadline <= waiter.entered:
            raise PoolTimeout("the deadline passed before a lane was asked for")
        found = "no lane was free" if waiter.room is None else "no lane was free or the device had no room"
        waited_s = self._clock() - waiter.entered
        raise PoolTimeout(f"{found} within {waited_s:.3f} s; {self.stats().waiting} requests are waiting")

    def give_up(self, waiter: Waiter) -> None:
        """Note that the deadline of one who still waits has passed; nothing happens to others."""
        with self._lock:
            self._budget.give_up(waiter)

    def withdraw(self, waiter: Waiter) -> bool:
        """Step out of the line. False where the fate is decided already: a lane that was granted needs its `leave`."""
        with self._lock:
            waits = waiter.fate is Fate.WAITING
            if waits:
                self._budget.leave(waiter, self._clock())
        return waits

    def left_s(self, waiter: Waiter) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, waiter.deadline - self._clock())

    def widen(self, waiter: Waiter, *, useful: bool = True) -> bool:
        """Let a lease have all free cores, if these are most. Each needs one `narrow`; `Lane.widen` does both."""
        with self._lock:
            return self._budget.widen(waiter, useful=useful)

    def narrow(self, waiter: Waiter) -> None:
        """Give back what `widen` took."""
        with self._lock:
            woken = self._budget.narrow(waiter, self._clock())
        self._wake(woken)

    def hand_over(self, waiter: Waiter) -> None:
        """As `Lane.hand_over`; a lease still needs its `leave`."""
        with self._lock:
            woken = self._budget.hand_over(waiter, self._clock())
        self._wake(woken)

    def check_deadline(self, waiter: Waiter, before: str) -> None:
        """As `Lane.check_deadline`."""
        with self._lock:
            late = self._budget.is_late(waiter, self._clock())
        if late:
            raise PoolTimeout(f"the deadline passed before {before}")

    def abandon(self, waiter: Waiter) -> None:
        """As `Lane.abandon`."""
        with self._lock:
            waiter.deadline = -math.inf

    def check_admission(self, queue: str = "", *, room: int | None = None) -> None:
        """Refuse now what `lease` would refuse, before anything costly is done. Raises as `lease`."""
        with self._lock:
            woken = self._budget.expire(self._clock())
            refusal = self._budget.admit(queue, room)
        self._wake(woken)
        if refusal is not None:
            raise refusal

    @property
    def refused(self) -> int:
        """How many were not let in so far, here or by whoever has noted it."""
        return self._budget.refused + self._refused_elsewhere

    def note_refusal(self) -> None:
        """Count one who was refused elsewhere because of the line: so many come that the cores are wanted for that."""
        with self._lock:
            self._refused_elsewhere += 1

    def close(self) -> None:
        """Give no new leases and send everyone who waits away; leases that are out end as they would."""
        with self._lock:
            dismissed = self._budget.close()
        self._wake(dismissed)

    def stats(self) -> PoolStats:
        """Counts that belong together, read at one moment."""
        with self._lock:
            woken = self._budget.expire(self._clock())
            stats = self._budget.stats()
        self._wake(woken)
        return stats

    def _wake(self, waiters: Iterable[Waiter]) -> None:
        for waiter in waiters:
            try:
                waiter.wake()
            except Exception:  # its event loop has gone, and will not use what it was granted; the others are waiting
                logger.exception("a waiter could not be woken")
                self.leave(waiter)
