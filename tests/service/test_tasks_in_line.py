"""Tasks in the line before a pool: in order, beside threads, and no lane is lost with one that is cancelled."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.lane import Lane
from service.lane_work import done_on_lane
from service.pool import Pool, in_seconds
from service.pool_errors import TooManyWaiting

pytestmark = pytest.mark.anyio

PATIENCE_S = 30.0


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


async def do(pool: Pool, executor: ThreadPoolExecutor, work: Callable[[Lane], object] = lambda _: None) -> None:
    async with done_on_lane(pool, executor, work, in_seconds(PATIENCE_S)):
        pass


async def test_a_task_waits_without_a_thread_and_in_order(executor: ThreadPoolExecutor) -> None:
    pool, order = Pool(lanes=1, max_waiting=8), list[int]()
    async with asyncio.TaskGroup() as tasks:
        with pool.lease(in_seconds(PATIENCE_S)):
            for number in range(8):
                tasks.create_task(do(pool, executor, lambda _, number=number: order.append(number)))  # type: ignore[misc]
            await asyncio.sleep(0)
            assert (pool.stats().waiting, order) == (8, [])
    assert order == list(range(8))


@pytest.mark.parametrize("others_are_refused", [False, True])
async def test_a_task_cancelled_just_as_its_lane_comes_hands_it_on(
    executor: ThreadPoolExecutor, *, others_are_refused: bool
) -> None:
    """Between being granted a lane and running again a task may be cancelled; the lane must not be lost then."""
    pool = Pool(lanes=1, max_waiting=2)
    with pool.lease(in_seconds(PATIENCE_S)):
        cancelled, lucky = (asyncio.create_task(do(pool, executor)) for _ in range(2))
        await asyncio.sleep(0)
        if others_are_refused:  # then the event loop begins the work, not the thread that frees the lane
            with pytest.raises(TooManyWaiting):
                pool.check_admission()
    cancelled.cancel()  # granted already, not awake yet

    await asyncio.wait_for(asyncio.gather(cancelled, lucky, return_exceptions=True), PATIENCE_S)

    assert (cancelled.cancelled(), lucky.exception()) == (True, None)
    assert (pool.stats().granted_total, pool.stats().leased) == (3, 0)


async def test_a_thread_may_hand_its_lane_to_a_task(executor: ThreadPoolExecutor) -> None:
    pool = Pool(lanes=1, max_waiting=1)
    holds, done = threading.Event(), threading.Event()

    def hold() -> None:
        with pool.lease(in_seconds(PATIENCE_S)):
            holds.set()
            done.wait(PATIENCE_S)

    thread = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(holds.wait, PATIENCE_S)
    task = asyncio.create_task(do(pool, executor))
    await asyncio.sleep(0)
    assert pool.stats().waiting == 1
    done.set()
    await asyncio.gather(thread, task)

    assert pool.stats().leased == 0
