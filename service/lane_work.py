"""Work that begins on a thread the moment its lane is free: whoever frees the lane starts it.

Were the event loop asked in between, the core would be idle until the loop had come round to it, three times for each
picture: to end the old lease, to wake who waits, and to hand the work to a thread. Nor does it wake another thread for
it: the one that has freed its lane goes on with the work that has got it.

Unless others were refused meanwhile: then so many come that the event loop needs the cores, to tell them so. Lanes that
never rest would leave it too little, and refusals would take a second. So they wait for its turn.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from service.lane import Lane
from service.pool import Pool
from service.waiting_line import Fate, Waiter

Result = TypeVar("Result")


@contextlib.asynccontextmanager
async def done_on_lane(
    pool: Pool,
    executor: Executor,
    work: Callable[[Lane], Result],
    deadline: float,
    *,
    queue: str = "",
    room: int | None = None,
    discard: Callable[[Result], object] = lambda _: None,
) -> AsyncIterator[Result]:
    """What work gives that is done on a thread once it has a lane, for the length of an `async with` block.

    The lane is given back when the work has ended; with the block, if the work has handed it over or others are refused
    meanwhile. Until the thread has ended its lane is in use, however often the caller is cancelled meanwhile; who still
    waits leaves the line at once. After the block nothing holds the work any more, nor the picture that it held.

    Args:
        pool: whose lanes.
        executor: threads to work on, at least one per lane.
        work: done with its lane; what it raises is raised here.
        deadline: as `Pool.lease`.
        queue: as `Pool.lease`.
        room: as `Pool.lease`.
        discard: given what came of work whose caller was cancelled.

    Raises:
        TooManyWaiting, PoolTimeout, PoolClosed: as `Pool.lease`.
    """
    turn = _Turn(pool, executor, work)
    waiter = turn.enter(deadline, queue, room)
    try:
        yield await turn.result(waiter, discard)
    finally:
        pool.leave(waiter)
        turn.forget()


class _Leaving(threading.local):
    """What a thread of an executor does next, while it gives its lane back: the work that gets it."""

    executor: Executor | None = None
    following: "_Turn[Any] | None" = None


_leaving = _Leaving()


def _work_off(begun: "list[_Turn[Any]]") -> None:
    """On a lane's thread: a turn's work, and that of those who get its lane from it, one after the other."""
    turn: _Turn[Any] | None = begun.pop()  # so that the executor does not hold the first one until the last has ended
    while turn is not None:
        turn = turn.work_off()


class _Turn(Generic[Result]):
    """One piece of work, from its place in the line to its end. Made and awaited by the event loop."""

    def __init__(self, pool: Pool, executor: Executor, work: Callable[[Lane], Result]) -> None:
        self._pool, self._executor, self._work = pool, executor, work
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()  # so that what is logged there says whose request it was
        self._once = threading.Lock()
        self._refused_before = pool.refused
        self._waiter: Waiter | None = None
        self._changed = self._loop.create_future()
        self._ended = False
        self._found: list[Result] = []
        self._error: BaseException | None = None

    def enter(self, deadline: float, queue: str, room: int | None) -> Waiter:
        """Take a place; if there is a lane, the work begins."""
        self._waiter = waiter = self._pool.enter(queue, deadline, self._wake, room=room)
        if waiter.fate is Fate.GRANTED:  # maybe since it was entered, by a thread that did not know the waiter yet
            try:
                self._begin()
            except BaseException:
                self._pool.leave(waiter)
                self.forget()
                raise
        return waiter

    async def result(self, waiter: Waiter, discard: Callable[[Result], object]) -> Result:
        """What came of the work, when it has ended."""
        timer = None
        if waiter.fate is Fate.WAITING:
            timer = self._loop.call_later(self._pool.left_s(waiter), self._expire, waiter)
        try:
            cancelled = await self._end(waiter)
        finally:
            if timer is not None:
                timer.cancel()
        if cancelled is not None:
            for found in self._found:
                discard(found)
            try:
                raise cancelled
            finally:
                del cancelled  # as below
        if not self._ended:
            self._pool.lane_of(waiter)  # raises what its fate is
        if (error := self._error) is not None:
            self._error = None
            try:
                raise error
            finally:
                del error  # its traceback holds this frame, which would hold it in turn
        return self._found[0]

    async def _end(self, waiter: Waiter) -> asyncio.CancelledError | None:
        """Return when the work has ended, or never begins; and what cancelled the caller meanwhile."""
        cancelled: asyncio.CancelledError | None = None
        while not self._ended and waiter.fate in (Fate.WAITING, Fate.GRANTED):
            try:
                await self._changed
            except asyncio.CancelledError as error:
                if self._pool.withdraw(waiter):
                    return error.with_traceback(None)  # which holds this frame, which would hold it in turn
                self._pool.abandon(waiter)
                self._changed = self._loop.create_future()
                cancelled = error.with_traceback(None)
        return cancelled

    def _wake(self) -> None:
        """The waiter's fate is decided. Called by whichever thread has decided it."""
        if (waiter := self._waiter) is None:
            return  # `enter` has not got it yet, and sees for itself
        if waiter.fate is not Fate.GRANTED:
            self._loop.call_soon_threadsafe(self._note)
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

    def work_off(self) -> "_Turn[Any] | None":
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

    def _leave(self, waiter: Waiter) -> "_Turn[Any] | None":
        _leaving.executor = self._executor
        try:
            self._pool.leave(waiter)
            return _leaving.following
        finally:
            _leaving.executor = _leaving.following = None

    def forget(self) -> None:
        """Hold nothing any more: the pool may still know the waiter, who would hold the turn, and that the picture."""
        self._waiter = self._error = None
        self._found = []
        del self._work

    def _expire(self, waiter: Waiter) -> None:
        self._pool.give_up(waiter)
        if waiter.fate is not Fate.GRANTED:
            self._note()

    def _note_end(self) -> None:
        self._ended = True
        self._note()

    def _note(self) -> None:
        if not self._changed.done():
            self._changed.set_result(None)
