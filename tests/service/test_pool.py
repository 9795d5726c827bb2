"""The pool: first come first served, bounded in number and in time, and nothing is ever lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.pool import Pool, in_seconds
from service.pool_errors import PoolClosed, PoolTimeout, TooManyWaiting
from tests.service.fakes import FakeClock
from tests.service.waiting import until


def test_a_caller_is_refused_when_every_lane_is_leased() -> None:
    """Waiting is bounded: a full pool answers PoolTimeout instead of hanging."""
    pool = Pool(lanes=1, max_waiting=1)

    with pool.lease(in_seconds(9)), pytest.raises(PoolTimeout, match="no lane was free"), pool.lease(in_seconds(0.01)):
        pytest.fail("leased one lane twice")


def test_a_full_line_refuses_at_once() -> None:
    pool = Pool(lanes=1, max_waiting=0)

    with pool.lease(in_seconds(9)), pytest.raises(TooManyWaiting), pool.lease(in_seconds(9)):
        pytest.fail("leased one lane twice")

    assert pool.stats().refused_total == 1


def test_a_queue_is_full_for_itself_alone() -> None:
    """A crowd before one model does not take the places of another's callers."""
    pool = Pool(lanes=1, max_waiting=1)

    with pool.lease(in_seconds(9), queue="cats"):
        pool.enter("cats", in_seconds(9), lambda: None)
        with pytest.raises(TooManyWaiting):
            pool.check_admission("cats")
        pool.check_admission("dogs")


def test_lanes_come_back() -> None:
    pool = Pool(lanes=2, max_waiting=0)

    with pool.lease(in_seconds(9)), pool.lease(in_seconds(9)):
        assert repr(pool) == "Pool(2 of 2 lanes leased, 0 waiting)"

    assert pool.stats().leased == 0


def test_a_lane_comes_back_when_the_work_fails() -> None:
    pool = Pool(lanes=1, max_waiting=0)

    with pytest.raises(ZeroDivisionError), pool.lease(in_seconds(9)):
        raise ZeroDivisionError

    assert pool.stats().leased == 0


def test_leaving_twice_gives_a_lane_back_once() -> None:
    pool = Pool(lanes=1, max_waiting=0)
    waiter = pool.enter("", in_seconds(9), lambda: None)

    pool.leave(waiter)
    pool.leave(waiter)

    with pool.lease(in_seconds(9)), pytest.raises(TooManyWaiting):
        pool.check_admission()


def test_a_deadline_that_has_passed_takes_no_lane() -> None:
    """Expired work is dropped before it runs."""
    pool = Pool(lanes=1, max_waiting=1)

    with (
        pytest.raises(PoolTimeout, match="the deadline passed before a lane was asked for"),
        pool.lease(in_seconds(-1)),
    ):
        pytest.fail("leased after the deadline")

    assert pool.stats().granted_total == 0


class HastyClock:
    """40 microseconds pass between two looks."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks * 4e-5


def test_a_short_wait_is_told_as_people_write_it() -> None:
    clock = HastyClock()
    pool = Pool(lanes=1, max_waiting=1, clock=clock)

    with pool.lease(1.0), pytest.raises(PoolTimeout, match=r"within 0\.000 s; 0 requests"), pool.lease(clock() + 1e-4):
        pytest.fail("leased one lane twice")


def test_who_waits_for_the_room_of_a_device_is_told_of_it() -> None:
    pool = Pool(lanes=1, max_waiting=1)

    with pool.lease(in_seconds(9), room=0) as lane:
        lane.hand_over()
        with pytest.raises(PoolTimeout, match="the device had no room"), pool.lease(in_seconds(0.01), room=0):
            pytest.fail("the device takes one")
        with pool.lease(in_seconds(9), queue="another"):
            assert pool.stats().leased == 1


def test_threads_are_served_in_the_order_they_came() -> None:
    """An unfair lock would let a newcomer overtake those who wait."""
    pool, order = Pool(lanes=1, max_waiting=8), []

    def work(number: int) -> None:
        with pool.lease(in_seconds(30)):
            order.append(number)

    with ThreadPoolExecutor(8) as executor, pool.lease(in_seconds(30)):
        for number in range(8):
            executor.submit(work, number)
            until(lambda number=number: pool.stats().waiting == number + 1)

    assert order == list(range(8))


def test_many_threads_never_hold_more_lanes_than_there_are() -> None:
    pool, held, most, guard = Pool(lanes=3, max_waiting=100), 0, 0, threading.Lock()
    three_inside = threading.Barrier(3)

    def work() -> None:
        nonlocal held, most
        with pool.lease(in_seconds(30)):
            with guard:
                held += 1
                most = max(most, held)
            three_inside.wait(30)
            with guard:
                held -= 1

    with ThreadPoolExecutor(20) as executor:
        done = [executor.submit(work) for _ in range(300)]

    assert all(future.exception() is None for future in done)
    assert most == 3
    assert (pool.stats().granted_total, pool.stats().leased, pool.stats().waiting) == (300, 0, 0)


def test_closing_sends_those_who_wait_away_and_lets_the_others_finish() -> None:
    pool = Pool(lanes=1, max_waiting=1)

    def wait_for_a_lane() -> None:
        with pool.lease(in_seconds(30)):
            pytest.fail("leased from a closed pool")

    with ThreadPoolExecutor(1) as executor, pool.lease(in_seconds(30)):
        waiting = executor.submit(wait_for_a_lane)
        until(lambda: pool.stats().waiting == 1)
        pool.close()
        assert isinstance(waiting.exception(timeout=30), PoolClosed)

    with pytest.raises(PoolClosed), pool.lease(in_seconds(9)):
        pytest.fail("leased from a closed pool")


@pytest.mark.parametrize(("lanes", "max_waiting"), [(0, 1), (1, -1)])
def test_a_pool_that_could_never_serve_is_not_made(lanes: int, max_waiting: int) -> None:
    with pytest.raises(ValueError, match="lanes"):
        Pool(lanes=lanes, max_waiting=max_waiting)


def test_one_who_leaves_after_the_deadline_has_timed_out_and_one_who_leaves_before_gave_up() -> None:
    """Noticed or not: the two counts tell too few cores from impatient clients."""
    clock = FakeClock()
    pool = Pool(lanes=1, max_waiting=2, clock=clock)
    pool.enter("", clock.now + 60, lambda: None)
    late, impatient = (pool.enter("", clock.now + seconds, lambda: None) for seconds in (1, 60))
    clock.advance(1)

    pool.leave(late)
    pool.leave(impatient)

    assert (pool.stats().timed_out_total, pool.stats().gave_up_total) == (1, 1)


def test_one_whose_deadline_has_passed_keeps_nobody_out() -> None:
    """Those who do not know yet that they are too late still stand in the line, but do not count."""
    clock, told = FakeClock(), []
    pool = Pool(lanes=1, max_waiting=1, clock=clock)
    pool.enter("", clock.now + 60, lambda: None)
    pool.enter("", clock.now + 1, lambda: told.append("late"))
    with pytest.raises(TooManyWaiting):
        pool.check_admission()

    clock.advance(1)
    pool.check_admission()
    pool.enter("", clock.now + 60, lambda: told.append("in time"))

    assert told == ["late"]
    assert (pool.stats().timed_out_total, pool.stats().waiting, pool.stats().waiting_by_model) == (1, 1, {"": 1})


def test_one_who_cannot_be_woken_holds_up_nobody() -> None:
    """Its event loop has ended: the lane that it was granted goes to the next one."""

    def fail() -> None:
        raise RuntimeError("Event loop is closed")

    pool, told = Pool(lanes=1, max_waiting=2), []
    first = pool.enter("", in_seconds(30), lambda: None)
    pool.enter("", in_seconds(30), fail)
    pool.enter("", in_seconds(30), lambda: told.append("granted"))

    pool.leave(first)

    assert (told, pool.stats().leased, pool.stats().granted_total) == (["granted"], 1, 3)
