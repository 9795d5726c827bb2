"""A lease is one core; for its run it has all that are free, if these are most."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.lane import Lane
from service.pool import Pool, in_seconds
from service.pool_errors import PoolTimeout
from tests.service.fakes import FakeClock
from tests.service.waiting import until


@pytest.fixture
def pool() -> Pool:
    return Pool(lanes=3, max_waiting=9)


def runs_of(pool: Pool) -> tuple[int, int]:
    return pool.stats().wide_runs_total, pool.stats().narrow_runs_total


def test_one_alone_has_all_cores_for_its_run(pool: Pool) -> None:
    with pool.lease(in_seconds(30)) as lane:
        assert pool.stats().wide == 0, "decoding cannot use them"
        with lane.widen() as wide:
            assert (wide, pool.stats().wide, pool.stats().leased) == (True, 1, 1)
        assert pool.stats().wide == 0

    assert runs_of(pool) == (1, 0)


def test_in_company_each_has_its_own_core() -> None:
    pool = Pool(lanes=2, max_waiting=9)
    with pool.lease(in_seconds(30)) as one, pool.lease(in_seconds(30)) as other:
        with one.widen() as first, other.widen() as second:
            assert (first, second) == (False, False)
        assert pool.stats().leased == 2

    assert runs_of(pool) == (0, 2)


@pytest.mark.parametrize(("others", "is_wide"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_few_on_many_cores_leave_none_idle(*, others: int, is_wide: bool) -> None:
    """Two requests on four cores that had one each would take twice as long as they need."""
    pool = Pool(lanes=4, max_waiting=9)
    with contextlib.ExitStack() as stack:
        for _ in range(others):
            stack.enter_context(pool.lease(in_seconds(30)))
        lane = stack.enter_context(pool.lease(in_seconds(30)))
        with lane.widen() as wide:
            assert wide == is_wide


def test_who_had_company_since_it_was_granted_stays_narrow() -> None:
    """Callers who ask again and again leave their core free for a moment: it is not taken from them for a whole run."""
    pool = Pool(lanes=2, max_waiting=9)
    with pool.lease(in_seconds(30)) as one:
        with pool.lease(in_seconds(30)):
            pass
        with one.widen() as wide:
            assert not wide
    with pool.lease(in_seconds(30)) as alone, alone.widen() as wide:
        assert wide, "the company before does not count"

    assert runs_of(pool) == (1, 1)


def test_only_one_is_wide_at_a_time() -> None:
    pool = Pool(lanes=8, max_waiting=9)
    with pool.lease(in_seconds(30)) as one, pool.lease(in_seconds(30)) as other:
        with one.widen() as first, other.widen() as second:
            assert (first, second) == (True, False)
        with other.widen() as third:
            assert third


def test_who_comes_during_a_wide_run_waits_for_that_run_only(pool: Pool) -> None:
    """The lease goes on afterwards, with the answer still to be made; the others need not wait for that."""

    def hold() -> None:
        with pool.lease(in_seconds(30)) as lane, lane.widen():
            pass

    with ThreadPoolExecutor(2) as executor, pool.lease(in_seconds(30)) as lane:
        with lane.widen():
            others = [executor.submit(hold) for _ in range(2)]
            until(lambda: pool.stats().waiting == 2)
        assert [other.result(30) for other in others] == [None, None]


def test_cores_that_are_of_no_use_are_not_taken(pool: Pool) -> None:
    """A model too large for two copies of its weights, or one that computes elsewhere."""
    with pool.lease(in_seconds(30)) as lane, lane.widen(useful=False) as wide:
        assert (wide, pool.stats().wide) == (False, 0)


def test_one_core_is_never_wide() -> None:
    with Pool(lanes=1, max_waiting=0).lease(in_seconds(30)) as lane, lane.widen() as wide:
        assert not wide


def test_a_wide_run_that_fails_gives_its_cores_back(pool: Pool) -> None:
    with pytest.raises(ZeroDivisionError), pool.lease(in_seconds(30)) as lane, lane.widen():
        raise ZeroDivisionError

    with pool.lease(in_seconds(30)), pool.lease(in_seconds(30)), pool.lease(in_seconds(30)):
        assert pool.stats().leased == 3


def test_a_lane_is_of_no_use_after_its_lease(pool: Pool) -> None:
    with pool.lease(in_seconds(30)) as lane:
        pass

    with pytest.raises(RuntimeError, match="0 cores"), lane.widen():
        pytest.fail("computed without a core")


def test_a_lane_cannot_be_widened_twice(pool: Pool) -> None:
    with pool.lease(in_seconds(30)) as lane, lane.widen(), pytest.raises(RuntimeError, match="3 cores"), lane.widen():
        pytest.fail("widened twice")


def leased(pool: Pool, deadline: float) -> Lane:
    return Lane(pool, pool.enter("", deadline, lambda: None))


def test_work_past_its_deadline_is_dropped_and_counted() -> None:
    clock = FakeClock()
    pool = Pool(lanes=1, max_waiting=0, clock=clock)
    lane = leased(pool, clock.now + 5)

    lane.check_deadline("it was decoded")
    clock.advance(5)
    with pytest.raises(PoolTimeout, match="the deadline passed before it was run"):
        lane.check_deadline("it was run")

    assert pool.stats().expired_total == 1


def test_work_that_nobody_waits_for_is_dropped_as_well(pool: Pool) -> None:
    lane = leased(pool, in_seconds(30))

    lane.abandon()

    with pytest.raises(PoolTimeout):
        lane.check_deadline("it was run")
