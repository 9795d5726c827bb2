"""Work that begins on a thread the moment its lane is free: whoever frees the lane starts it.

Were the event loop asked in between, the core would be idle until the loop had come round to it, three times for each
picture: to end the old lease, to wake who waits, and to hand the work to a thread.

Unless others were refused meanwhile: then so many come that the event loop needs the cores, to tell them so. Lanes that
never rest would leave it too little, and refusals would take a second. So they wait for its turn.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

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

    The lane is given back when the work has ended; if the work has handed it over, with the block. Until the thread has
    ended its lane is in use, however often the caller is cancelled meanwhile; who still waits leaves the line at once.

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
                self._begin(waiter)
            except BaseException:
                self._pool.leave(waiter)
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
            raise cancelled
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
                    return error
                self._pool.abandon(waiter)
                self._changed = self._loop.create_future()
                cancelled = error
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
            self._begin(waiter)
        except BaseException as error:  # the threads have ended
            self._error = error
            self._pool.leave(waiter)
            self._loop.call_soon_threadsafe(self._note_end)

    def _begin(self, waiter: Waiter) -> None:
        if self._once.acquire(blocking=False):
            self._executor.submit(self._run, waiter)

    def _run(self, waiter: Waiter) -> None:
        """On a lane's thread."""
        try:
            self._found.append(self._context.run(self._work, Lane(self._pool, waiter)))
        except BaseException as error:
            self._error = error
        if waiter.cores and not self._others_are_refused:  # without cores it was handed over
            self._pool.leave(waiter)  # the next one's work begins here
        self._loop.call_soon_threadsafe(self._note_end)

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
