"""Work that begins on a thread the moment its lane is free."""

import asyncio
import contextvars
import inspect
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from service.lane import Lane
from service.lane_work import done_on_lane
from service.pool import Pool, in_seconds
from service.pool_errors import PoolClosed, PoolTimeout, TooManyWaiting

pytestmark = pytest.mark.anyio

PATIENCE_S = 30.0


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


class Work:
    """Says that it has begun, and ends when it is let."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, _lane: Lane) -> str:
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)
        return "done"


async def doing(
    pool: Pool,
    executor: ThreadPoolExecutor,
    work: Callable[[Lane], str],
    found: list[str],
    *,
    seconds: float = PATIENCE_S,
) -> str:
    async with done_on_lane(pool, executor, work, in_seconds(seconds), discard=found.append) as result:
        return result


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE_S)


async def until_waiting(pool: Pool, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while pool.stats().waiting != count:
            await asyncio.sleep(0.001)


async def test_the_next_work_begins_while_the_event_loop_is_busy(executor: ThreadPoolExecutor) -> None:
    pool, first, second = Pool(lanes=1, max_waiting=1), Work(), Work()
    second.may_end.set()
    async with asyncio.TaskGroup() as tasks:
        one = tasks.create_task(doing(pool, executor, first, []))
        await until(first.begun)
        other = tasks.create_task(doing(pool, executor, second, []))
        await until_waiting(pool, 1)
        assert not second.begun.is_set()
        first.may_end.set()
        assert second.begun.wait(PATIENCE_S)  # the loop stands still here
    assert (one.result(), other.result()) == ("done", "done")
    assert pool.stats().leased == 0


class Noting(ThreadPoolExecutor):
    """Notes which thread hands in work."""

    def __init__(self) -> None:
        super().__init__(2)
        self.by = list[threading.Thread]()

    def submit(self, *args: Any, **kwargs: Any) -> "Future[Any]":
        self.by.append(threading.current_thread())
        return super().submit(*args, **kwargs)


@pytest.mark.parametrize("refuses", [False, True])
async def test_while_others_are_refused_the_event_loop_begins_the_next_work(*, refuses: bool) -> None:
    pool, first, second, own = Pool(lanes=1, max_waiting=1), Work(), Work(), threading.current_thread()
    second.may_end.set()
    with Noting() as executor:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(doing(pool, executor, first, []))
            await until(first.begun)
            tasks.create_task(doing(pool, executor, second, []))
            await until_waiting(pool, 1)
            if refuses:
                with pytest.raises(TooManyWaiting):
                    pool.check_admission()
            first.may_end.set()
    assert [thread is own for thread in executor.by] == ([True, True] if refuses else [True])


async def test_the_thread_that_frees_a_lane_goes_on_with_the_next_work_and_never_within_the_last() -> None:
    pool, threads, depths = Pool(lanes=1, max_waiting=20), set[int](), set[int]()

    def note(_lane: Lane) -> str:
        threads.add(threading.get_ident())
        depths.add(len(inspect.stack(0)))
        return "done"

    first = Work()
    with ThreadPoolExecutor(4) as executor:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(doing(pool, executor, first, []))
            await until(first.begun)
            for _ in range(20):
                tasks.create_task(doing(pool, executor, note, []))
            await until_waiting(pool, 20)
            first.may_end.set()
    assert len(threads) == 1 and len(depths) == 1
    assert pool.stats().leased == 0


async def test_work_is_done_for_its_own_request_also_by_the_thread_of_another() -> None:
    pool, first, names = Pool(lanes=1, max_waiting=2), Work(), contextvars.ContextVar("name", default="nobody")

    def name(_lane: Lane) -> str:
        return names.get()

    async def named(given: str) -> str:
        names.set(given)
        return await doing(pool, executor, name, [])

    with ThreadPoolExecutor(1) as executor:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(doing(pool, executor, first, []))
            await until(first.begun)
            found = [tasks.create_task(named(each)) for each in ("one", "other")]
            await until_waiting(pool, 2)
            first.may_end.set()
    assert [each.result() for each in found] == ["one", "other"]


async def test_work_that_raises_holds_up_nobody_who_gets_its_lane(executor: ThreadPoolExecutor) -> None:
    pool, first = Pool(lanes=1, max_waiting=2), Work()

    def fail(_lane: Lane) -> str:
        raise ZeroDivisionError

    one = asyncio.create_task(doing(pool, executor, first, []))
    await until(first.begun)
    others = [asyncio.create_task(doing(pool, executor, each, [])) for each in (fail, lambda _: "done")]
    await until_waiting(pool, 2)
    first.may_end.set()
    found = await asyncio.gather(one, *others, return_exceptions=True)
    assert found[0] == found[2] == "done" and isinstance(found[1], ZeroDivisionError)


class Holding(Work):
    """Work that holds something large, as a picture is."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self._fails = fails

    def __call__(self, lane: Lane) -> str:
        found = super().__call__(lane)
        if self._fails:
            raise ZeroDivisionError
        return found


async def ended(pool: Pool, executor: ThreadPoolExecutor, how: str) -> "weakref.ref[Holding]":
    """A work that ended in some way, while another stands in the line."""
    before, work = Work(), Holding(fails=how == "raised")
    blocker = None
    if how in ("given up", "timed out", "dismissed"):
        blocker = asyncio.create_task(doing(pool, executor, before, []))
        await until(before.begun)
    task = asyncio.create_task(doing(pool, executor, work, [], seconds=0.01 if how == "timed out" else PATIENCE_S))
    if blocker is None:
        await until(work.begun)
        other = asyncio.create_task(doing(pool, executor, lambda _: "done", []))
        await until_waiting(pool, 1)
    else:
        await until_waiting(pool, 1)
        other = blocker
    if how in ("cancelled", "given up"):
        task.cancel()
        await asyncio.sleep(0)
    if how == "dismissed":
        pool.close()
    work.may_end.set()
    await asyncio.wait([task])
    before.may_end.set()
    await asyncio.wait([other])
    assert task.cancelled() == (how in ("cancelled", "given up"))
    if not task.cancelled():
        assert (
            type(task.exception())
            is {"done": type(None), "raised": ZeroDivisionError, "timed out": PoolTimeout, "dismissed": PoolClosed}[how]
        )
    return weakref.ref(work)


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize("how", ["done", "raised", "cancelled", "given up", "timed out", "dismissed"])
async def test_nothing_holds_what_work_held_once_its_block_has_ended(executor: ThreadPoolExecutor, how: str) -> None:
    """The collector counts objects and not bytes: pictures would stand in memory until it comes round."""
    pool = Pool(lanes=1, max_waiting=3)
    left = await ended(pool, executor, how)
    assert left() is None


async def test_who_is_cancelled_in_the_line_leaves_it_and_is_not_worked_for(executor: ThreadPoolExecutor) -> None:
    pool, first, second = Pool(lanes=1, max_waiting=1), Work(), Work()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(doing(pool, executor, first, []))
        await until(first.begun)
        other = asyncio.create_task(doing(pool, executor, second, []))
        await until_waiting(pool, 1)
        other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await other
        assert pool.stats().waiting == 0 and pool.stats().gave_up_total == 1
        first.may_end.set()
    assert not second.begun.is_set() and pool.stats().granted_total == 1


async def test_the_lane_of_a_cancelled_caller_is_in_use_until_its_work_has_ended(executor: ThreadPoolExecutor) -> None:
    pool, work, found = Pool(lanes=1, max_waiting=0), Work(), list[str]()
    task = asyncio.create_task(doing(pool, executor, work, found))
    await until(work.begun)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done() and pool.stats().leased == 1
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert found == ["done"] and pool.stats().leased == 0


async def test_who_waits_past_the_deadline_is_told_and_not_worked_for(executor: ThreadPoolExecutor) -> None:
    pool, first, second = Pool(lanes=1, max_waiting=1), Work(), Work()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(doing(pool, executor, first, []))
        await until(first.begun)
        with pytest.raises(PoolTimeout, match="no lane was free"):
            await doing(pool, executor, second, [], seconds=0.01)
        first.may_end.set()
    assert not second.begun.is_set() and pool.stats().timed_out_total == 1


async def test_who_waits_when_the_pool_closes_is_told(executor: ThreadPoolExecutor) -> None:
    pool, first = Pool(lanes=1, max_waiting=1), Work()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(doing(pool, executor, first, []))
        await until(first.begun)
        waits = asyncio.create_task(doing(pool, executor, Work(), []))
        await until_waiting(pool, 1)
        pool.close()
        with pytest.raises(PoolClosed):
            await waits
        first.may_end.set()


async def test_what_the_work_raises_is_raised_and_the_lane_is_free(executor: ThreadPoolExecutor) -> None:
    def fail(_lane: Lane) -> str:
        raise ZeroDivisionError

    pool = Pool(lanes=1, max_waiting=0)
    with pytest.raises(ZeroDivisionError):
        async with done_on_lane(pool, executor, fail, in_seconds(PATIENCE_S)):
            pytest.fail("there is no result")
    assert pool.stats().leased == 0


async def test_a_lane_that_the_work_hands_over_is_free_and_the_lease_lasts_as_long_as_the_block(
    executor: ThreadPoolExecutor,
) -> None:
    pool = Pool(lanes=1, max_waiting=0)
    async with done_on_lane(pool, executor, Lane.hand_over, in_seconds(PATIENCE_S), room=0):
        assert pool.stats().leased == 0
        async with done_on_lane(pool, executor, lambda _: "another", in_seconds(PATIENCE_S), queue="other") as found:
            assert found == "another"
        with pytest.raises(TooManyWaiting), pool.lease(in_seconds(PATIENCE_S), room=0):
            pytest.fail("its room of 0 beyond the one core is taken")
    assert pool.stats().leased == 0


async def test_work_that_no_thread_takes_is_an_error_and_its_lane_is_free() -> None:
    pool, ended = Pool(lanes=1, max_waiting=0), ThreadPoolExecutor(1)
    ended.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        async with done_on_lane(pool, ended, lambda _: "done", in_seconds(PATIENCE_S)):
            pytest.fail("there is no result")
    assert pool.stats().leased == 0
