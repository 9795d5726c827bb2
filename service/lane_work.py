"""Work that is done on a lane, awaited: for the length of an `async with` block. `lane_turn` says how it is done."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

from service.lane import Lane
from service.lane_turn import Turn
from service.pool import Pool

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
        deadline: as `Pool.enter`.
        queue: as `Pool.enter`.
        room: as `Pool.enter`.
        discard: given what came of work whose caller was cancelled.

    Raises:
        TooManyWaiting, PoolTimeout, PoolClosed: as `Pool.enter`, and `Pool.lane_of`.
    """
    told = _Told()
    turn = Turn(pool, executor, work, told)
    turn.enter(deadline, queue=queue, room=room)
    try:
        yield await _result(turn, told, discard)
    finally:
        turn.end()


class _Told:
    """What a turn calls, as something to be awaited."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.changed = self._loop.create_future()

    def __call__(self) -> None:
        if not self.changed.done():
            self.changed.set_result(None)

    def renew(self) -> None:
        """What was awaited was cancelled."""
        self.changed = self._loop.create_future()


async def _result(turn: Turn[Result], told: _Told, discard: Callable[[Result], object]) -> Result:
    """What came of the work, when it has ended."""
    cancelled = await _end(turn, told)
    if cancelled is None:
        return turn.result()
    for found in turn.results():
        discard(found)
    try:
        raise cancelled
    finally:
        del cancelled  # its traceback holds this frame, which would hold it in turn


async def _end(turn: Turn[Result], told: _Told) -> asyncio.CancelledError | None:
    """Return when the work has ended, or never begins; and what cancelled the caller meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not turn.is_over:
        try:
            await told.changed
        except asyncio.CancelledError as error:
            if turn.cancel():
                return error.with_traceback(None)
            told.renew()
            cancelled = error.with_traceback(None)
    return cancelled
