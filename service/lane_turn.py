"""One piece of work that is done on a thread once it has a lane, from its place in the line to its end.

Work begins the moment its lane is free: whoever frees the lane starts it. Were the event loop asked in between, the
core would be idle until the loop had come round to it, three times for each picture: to end the old lease, to wake who
waits, and to hand the work to a thread. Nor does it wake another thread for it: the one that has freed its lane goes on
with the work that has got it.

Unless others were refused meanwhile: then so many come that the event loop needs the cores, to tell them so. Lanes that
never rest would leave it too little, and refusals would take a second. So they wait for its turn.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from service.lane import Lane
from service.pool import Pool
from service.waiting_line import Fate, Waiter

Result = TypeVar("Result")


class _Leaving(threading.local):
    """What a thread of an executor does next, while it gives its lane back: the work that gets it."""

    executor: Executor | None = None
    following: "Turn[Any] | None" = None


_leaving = _Leaving()


def _work_off(begun: "list[Turn[Any]]") -> None:
    """On a lane's thread: a turn's work, and that of those who get its lane from it, one after the other."""
    turn: Turn[Any] | None = begun.pop()  # so that the executor does not hold the first one until the last has ended
    while turn is not None:
        turn = turn.work_off()


def _nobody() -> None:
    """Is told of a turn that was ended."""


class Turn(Generic[Result]):
    """Work and its place in the line. Made, asked and ended by the event loop.

    The lane is given back when the work has ended; by `end`, if the work has handed it over or others are refused
    meanwhile.

    Args:
        pool: whose lanes.
        executor: threads to work on, at least one per lane.
        work: done with its lane, in the context of whoever makes the turn.
        told: called by the event loop whenever `is_over` may have become true.
    """

    def __init__(
        self, pool: Pool, executor: Executor, work: Callable[[Lane], Result], told: Callable[[], object]
    ) -> None:
        self._pool, self._executor, self._work, self._told = pool, executor, work, told
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()  # so that what is logged there says whose request it was
        self._once = threading.Lock()
        self._refused_before = pool.refused
        self._waiter: Waiter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._found: list[Result] = []
        self._error: BaseException | None = None

    def enter(self, deadline: float, *, queue: str = "", room: int | None = None) -> None:
        """Take a place; if there is a lane, the work begins. Needs one `end`, unless it raises.

        Raises:
            TooManyWaiting, PoolClosed: as `Pool.enter`.
        """
        self._waiter = waiter = self._pool.enter(queue, deadline, self._wake, room=room)
        if waiter.fate is Fate.GRANTED:  # maybe since it was entered, by a thread that did not know the waiter yet
            try:
                self._begin()
            except BaseException:
                self.end()
                raise
        elif waiter.fate is Fate.WAITING:
            self._timer = self._loop.call_later(self._pool.left_s(waiter), self._expire, waiter)

    @property
    def is_over(self) -> bool:
        """Whether the work has ended, or never begins."""
        waiter = self._waiter
        return self._ended or waiter is None or waiter.fate not in (Fate.WAITING, Fate.GRANTED)

    def result(self) -> Result:
        """What came of the work; what it raised is raised here. Only when it is over.

        Raises:
            PoolTimeout, PoolClosed: it never begins.
        """
        if not self._ended and self._waiter is not None:
            self._pool.lane_of(self._waiter)  # raises what its fate is
        if (error := self._error) is not None:
            self._error = None
            try:
                raise error
            finally:
                del error  # its traceback holds this frame, which would hold it in turn
        return self._found[0]

    def results(self) -> list[Result]:
        """What came of the work so far, if anything: for who does not want it any more."""
        return self._found

    def cancel(self) -> bool:
        """Nobody wants the result. False where work is under way, which is dropped at its next check: wait for its end.

        Until the thread has ended its lane is in use; who still waits leaves the line at once.
        """
        waiter = self._waiter
        if waiter is None or self._pool.withdraw(waiter):
            return True
        self._pool.abandon(waiter)
        return self.is_over

    def end(self) -> None:
        """Leave, and hold nothing: the pool may know the waiter for longer, and that the turn and the picture."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiter is not None:
            self._pool.leave(self._waiter)
            del self._work
        self._told = _nobody
        self._waiter = self._error = None
        self._found = []

    def work_off(self) -> "Turn[Any] | None":
        """On a lane's thread: do the work, and give the lane back. Returns who has got it, for this thread to go on."""
        waiter = self._waiter
        if waiter is None or not waiter.cores:  # no thread seemed to take it, and its caller was told so
            return None
        try:
            self._found.append(self._context.run(self._work, Lane(self._pool, waiter)))
        except BaseException as error:
            self._error = error
        try:
            if waiter.cores and not self._others_are_refused:  # without cores it was handed over
                return self._leave(waiter)
            return None
        finally:
            with contextlib.suppress(RuntimeError):  # the event loop has ended, and nobody waits
                self._loop.call_soon_threadsafe(self._note_end)

    def _wake(self) -> None:
        """The waiter's fate is decided. Called by whichever thread has decided it."""
        if (waiter := self._waiter) is None:
            return  # `enter` has not got it yet, and sees for itself
        if waiter.fate is not Fate.GRANTED:
            self._loop.call_soon_threadsafe(self._told)
        elif self._others_are_refused:
            self._loop.call_soon_threadsafe(self._begin_or_fail, waiter)
        else:
            self._begin_or_fail(waiter)

    @property
    def _others_are_refused(self) -> bool:
        return self._pool.refused > self._refused_before

    def _begin_or_fail(self, waiter: Waiter) -> None:
        try:
            self._begin()
        except BaseException as error:  # the threads have ended
            self._error = error
            self._pool.leave(waiter)
            self._loop.call_soon_threadsafe(self._note_end)

    def _begin(self) -> None:
        if not self._once.acquire(blocking=False):
            return
        if _leaving.executor is self._executor and _leaving.following is None:
            _leaving.following = self
        else:
            self._executor.submit(_work_off, [self])

    def _leave(self, waiter: Waiter) -> "Turn[Any] | None":
        _leaving.executor = self._executor
        try:
            self._pool.leave(waiter)
            return _leaving.following
        finally:
            _leaving.executor = _leaving.following = None

    def _expire(self, waiter: Waiter) -> None:
        self._pool.give_up(waiter)
        if waiter.fate is not Fate.GRANTED:
            self._told()

    def _note_end(self) -> None:
        self._ended = True
        self._told()
