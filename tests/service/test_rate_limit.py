"""A bucket of tokens for each key."""

import pytest

from service.rate_limit import RateLimit, retry_after_s
from tests.service.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def taken(limit: RateLimit, name: str, per_minute: int, *, tries: int) -> int:
    return sum(limit.take(name, per_minute) == 0 for _ in range(tries))


def test_a_quiet_key_may_send_its_minute_at_once_and_no_more(clock: FakeClock) -> None:
    limit = RateLimit(clock=clock)

    assert taken(limit, "a", 60, tries=100) == 60
    clock.advance(10)
    assert taken(limit, "a", 60, tries=100) == 10
    clock.advance(3600)
    assert taken(limit, "a", 60, tries=100) == 60


@pytest.mark.parametrize("per_minute", [1, 7, 60, 61, 600, 1_000_003])
def test_after_the_wait_that_is_told_there_is_a_token_and_not_before(per_minute: int, clock: FakeClock) -> None:
    """Retry-After must be true: too early would be refused again, much too late waste time."""
    limit = RateLimit(clock=clock)
    while (wait_s := limit.take("a", per_minute)) == 0:
        pass

    clock.advance(0.9 * wait_s)
    assert limit.take("a", per_minute) == pytest.approx(0.1 * wait_s, rel=1e-3)
    clock.advance(0.1 * wait_s)
    assert limit.take("a", per_minute) == 0


def test_the_wait_is_told_in_whole_seconds_rounded_up() -> None:
    assert [retry_after_s(wait) for wait in (0.001, 1.0, 1.2, 59.01)] == [1, 1, 2, 60]


def test_keys_do_not_take_from_one_another(clock: FakeClock) -> None:
    limit = RateLimit(clock=clock)

    assert taken(limit, "a", 5, tries=9) == 5
    assert taken(limit, "b", 5, tries=9) == 5


def test_a_worker_gives_its_share_and_at_least_one(clock: FakeClock) -> None:
    limit = RateLimit(share=1 / 4, clock=clock)

    assert taken(limit, "a", 60, tries=99) == 15
    assert taken(limit, "b", 1, tries=99) == 1
    assert limit.take("b", 1) == pytest.approx(240)


def test_another_rate_counts_at_once(clock: FakeClock) -> None:
    limit = RateLimit(clock=clock)
    taken(limit, "a", 5, tries=9)

    assert taken(limit, "a", 10, tries=99) == 10


def test_keys_that_are_gone_are_forgotten(clock: FakeClock) -> None:
    limit = RateLimit(clock=clock)
    for name in ("a", "b"):
        taken(limit, name, 5, tries=5)

    limit.keep({"b"})

    assert taken(limit, "a", 5, tries=9) == 5
    assert taken(limit, "b", 5, tries=9) == 0
