"""Where a request's time goes."""

import itertools
import sys
import threading
from collections.abc import Iterator

import pytest

from service.stage_times import MAX_INTERVALS, StageTimes, keep_stage_times, known_stage_times, stage_times_of
from tests.service.asgi import scope_of
from tests.service.fakes import FakeClock


def test_a_stage_lasts_until_the_next_one_begins() -> None:
    clock = FakeClock()
    times = StageTimes(clock)

    times.begin("receive")
    clock.advance(0.5)
    times.begin("queue")
    clock.advance(0.25)
    times.end()
    clock.advance(9)

    assert times.seconds() == {"receive": 0.5, "queue": 0.25}


def test_pictures_of_one_request_are_added_up() -> None:
    clock = FakeClock()
    times = StageTimes(clock)

    for _ in range(3):
        times.begin("decode")
        clock.advance(1)
        times.begin("run")
        clock.advance(2)
    times.end()

    assert times.seconds() == {"decode": 3, "run": 6}


def test_what_the_device_did_meanwhile_is_no_waiting() -> None:
    clock = FakeClock()
    times = StageTimes(clock)
    times.begin("queue")
    clock.advance(1)
    times.end()

    times.computed(0.75)

    assert times.seconds() == {"queue": 0.25, "run": 0.75}


def test_when_stages_began_and_ended_is_kept_and_bounded() -> None:
    """Spans are made of it; a request with a thousand pictures must not make thousands of them."""
    clock = FakeClock()
    times, begun = StageTimes(clock), clock()
    times.begin("receive")
    clock.advance(1)
    times.begin("queue")
    clock.advance(3)
    times.end()
    times.computed(2)

    assert [(stage, began - begun, ended - begun) for stage, began, ended in times.intervals] == [
        ("receive", 0, 1),
        ("queue", 1, 2),
        ("run", 2, 4),
    ]
    for _ in range(MAX_INTERVALS):
        times.begin("decode")
    times.end()
    times.computed(0)
    assert len(times.intervals) == MAX_INTERVALS


def test_the_header_has_milliseconds_of_the_stages_that_there_were() -> None:
    times = StageTimes()
    times.receive, times.run = 0.0012, 1.5

    assert times.server_timing() == "receive;dur=1.200, run;dur=1500.000"


def test_who_tells_of_the_times_finds_every_stage_ended() -> None:
    """A request that fails in a stage has spent its time there."""
    scope = scope_of()
    assert known_stage_times(scope) is None

    stage_times_of(scope).begin("receive")
    known = known_stage_times(scope)

    assert known is stage_times_of(scope)
    assert known is not None
    assert known.receive > 0
    before = known.receive
    known.end()
    assert known.receive == before


def test_what_was_told_is_told_again_whatever_a_thread_goes_on_to_do() -> None:
    clock, scope = FakeClock(), scope_of()
    scope["state"] = {"stage_times": StageTimes(clock)}
    of_thread = stage_times_of(scope)
    of_thread.begin("decode")
    clock.advance(1)
    keep_stage_times(scope)
    told = known_stage_times(scope)
    clock.advance(2)
    of_thread.begin("run")
    clock.advance(4)
    of_thread.end()
    assert told is known_stage_times(scope) is not of_thread and told is not None
    assert (told.seconds(), len(told.intervals)) == ({"decode": 1}, 1)
    assert of_thread.seconds() == {"decode": 3, "run": 4}


def test_a_stage_that_never_was_is_not_counted() -> None:
    clock = FakeClock()
    times = StageTimes(clock)
    times.begin("receive")
    clock.advance(1)
    times.begin("queue")
    clock.advance(1)
    times.forget()
    times.end()
    assert times.seconds() == {"receive": 1}


def test_a_stage_that_has_begun_goes_on_as_one() -> None:
    clock = FakeClock()
    times = StageTimes(clock)
    for _ in range(3):
        times.go_on("receive")
        clock.advance(1)
    times.go_on("queue")
    assert (times.receive, [interval[0] for interval in times.intervals]) == (3, ["receive"])


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """They get in each other's way as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Ticks(threading.local):
    """A clock that goes on by one with each who asks; `last` is what the asking thread was told last."""

    numbers = itertools.count()
    last = 0

    def __call__(self) -> float:
        self.last = next(self.numbers)
        return self.last


@pytest.mark.usefixtures("hasty_threads")
def test_a_copy_is_of_one_moment_also_where_a_thread_changes_the_stage_just_then() -> None:
    """Stages follow each other without a gap: so together they are the time since the first began."""
    clock = Ticks()
    times = StageTimes(clock)
    times.begin("decode")
    began, over = clock.last, threading.Event()

    def change() -> None:
        while not over.is_set():
            times.begin("run")
            times.begin("decode")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(3000):
            copy = times.so_far()
            assert sum(copy.seconds().values()) == clock.last - began
    finally:
        over.set()
        thread.join()
