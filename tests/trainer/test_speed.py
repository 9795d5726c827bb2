"""What is compared is timed in turn, so that a machine that gets busy slows all of it alike."""

from collections.abc import Callable, Iterator

import pytest

from shared.errors import PictureError
from tests.shared.pictures import encode, scene
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.speed import time_in_turn, time_single_requests


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
