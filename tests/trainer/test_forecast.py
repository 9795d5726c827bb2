"""trainer/forecast.py: how long it will take is said before it does, and only where there is something to do."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.trainer.test_progress import Clock
from trainer.forecast import FEWEST, time_first, time_first_lots
from trainer.progress import Quiet


def rows(clock: Clock, times: list[float]) -> Iterator[int]:
    for index, seconds in enumerate(times):
        clock.now += seconds
        yield index


def test_the_first_rows_tell_how_long_all_will_take() -> None:
    """And what only the first of all waits for does not count."""
    clock, progress = Clock(), Quiet()
    times = [9.0, *np.random.default_rng(1).lognormal(-4.5, 0.5, 1203).tolist()]
    coming = rows(clock, times)

    first = time_first(coming, total=len(times), verb="featurise", progress=progress, clock=clock)

    (sentence,) = progress.said
    assert sentence.startswith("1,204 pictures to featurise: about ") and sentence.endswith("judged by the first 16.")
    seconds = float(sentence.partition("about ")[2].partition(" s")[0])
    assert seconds == pytest.approx(sum(times[len(first) :]), rel=0.4)
    assert [*first, *coming] == list(range(1204))


def test_lots_of_several_workers_are_judged_by_one_of_each() -> None:
    """They come at about the same time, so the time between the first two says nothing."""
    clock, progress = Clock(), Quiet()
    lots = [list(range(100))] * 20
    times = [5.0, 0.0, *[2.0, 0.0] * 9]  # two workers, two seconds a lot

    def coming() -> Iterator[list[int]]:
        for lot, seconds in zip(lots, times, strict=True):
            clock.now += seconds
            yield lot

    first = time_first_lots(coming(), workers=lambda: 2, total=2000, verb="featurise", progress=progress, clock=clock)

    assert len(first) == 3
    (sentence,) = progress.said
    assert sentence == "2,000 pictures to featurise: about 17 s at 100.0/s, judged by the first 200."


def test_nothing_is_said_of_few_lots() -> None:
    progress = Quiet()

    assert time_first_lots(iter([[1], [2]]), workers=lambda: 2, total=2, verb="featurise", progress=progress) == [[1]]
    assert progress.said == []


def test_nothing_is_said_of_few() -> None:
    progress = Quiet()

    assert time_first(iter(range(FEWEST - 1)), total=FEWEST - 1, verb="featurise", progress=progress) == []
    assert progress.said == []
