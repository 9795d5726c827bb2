"""What is compared is timed in turn, so that a machine that gets busy slows all of it alike."""

from collections.abc import Callable, Iterator

import pytest

from shared.errors import PictureError
from tests.shared.pictures import encode, scene
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.comparing import tell_if_busy
from trainer.progress import Quiet
from trainer.speed import Times, time_in_turn, time_single_requests


class FakeClock:
    """Time passes only when a job says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def job(self, seconds: list[float], done: list[str], name: str) -> Callable[[int], None]:
        left: Iterator[float] = iter(seconds)

        def work(_number: int) -> None:
            done.append(name)
            self.now += next(left)

        return work


def test_jobs_take_turns_and_the_first_round_only_warms_up() -> None:
    clock, done = FakeClock(), list[str]()
    jobs = {"a": clock.job([9, 1, 2, 6], done, "a"), "b": clock.job([9, 3, 3, 3], done, "b")}

    assert time_in_turn(jobs, rounds=3, clock=clock) == {"a": pytest.approx(2), "b": pytest.approx(3)}
    assert done == ["a", "b"] * 4


def test_a_request_is_timed_from_the_pictures_bytes() -> None:
    """A picture of twelve megapixels is mostly decoding; a backbone twice as fast is then no faster."""
    seconds = time_single_requests({"tiny": (tiny_graph(), TINY_SPEC)}, [encode(scene(), "PNG")], rounds=2)

    assert seconds["tiny"] > 0
    with pytest.raises(PictureError):
        time_single_requests({"tiny": (tiny_graph(), TINY_SPEC)}, [b"no picture"], rounds=1)


def test_pictures_of_unlike_sizes_are_no_busy_machine() -> None:
    assert not Times({"a": [1, 7, 1.1, 7.2, 1, 7.1]}, kinds=2).is_busy
    assert Times({"a": [1, 7, 3, 7.2, 3, 7.1], "b": [1.0] * 6}, kinds=2).is_busy


def test_a_comparison_on_a_busy_machine_says_so() -> None:
    """A backbone was passed over for its 24 ms, which were 8 ms minutes later."""
    busy, quiet = Quiet(), Quiet()

    tell_if_busy(Times({0: [0.008, 0.024, 0.024, 0.025]}), busy)
    tell_if_busy(Times({0: [0.008, 0.008, 0.008, 0.025]}), quiet)

    assert [one.partition(":")[0] for one in busy.warnings] == ["The machine was busy"]
    assert quiet.warnings == []


@pytest.mark.parametrize(("seconds", "is_busy"), [([1, 1, 1.2, 1.3, 9], False), ([1, 1, 2, 3, 9], True)])
def test_times_that_scatter_are_of_a_busy_machine_and_one_slow_round_is_not(
    seconds: list[float], *, is_busy: bool
) -> None:
    clock = FakeClock()

    times = time_in_turn({"a": clock.job([5, *seconds], [], "a")}, rounds=5, clock=clock)

    assert times.is_busy is is_busy
