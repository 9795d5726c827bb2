"""The limit: who waited for how long, what counts in a window, and that both loops do the same work."""

from pathlib import Path

import pytest

from bench.peers.bare import Loop, Order, ProcessLoop, ThreadLoop, run
from bench.peers.bare_crews import Run, latencies
from tests.service.bundles import publish_bundle
from tests.service.pictures import GREEN, picture


class InSteps:
    """Those who work by a clock of their own: what they did is known beforehand."""

    def __init__(self, runs: list[Run], answered: int) -> None:
        self.runs, self.count, self.counted = runs, 0, answered

    def begin(self, picture: Path, count: int) -> None:
        assert picture.name == "a.jpg"
        self.count = count

    def answered(self) -> int:
        return self.counted

    def processor_s(self) -> float:
        self.counted += 1
        return float(self.counted)

    def stop(self) -> list[Run]:
        return self.runs


def test_callers_stand_in_one_line() -> None:
    """Three callers, two who work: the third is served when the first one is, and that one asks again behind it."""
    runs = [Run(0, 1), Run(0, 2), Run(1, 3), Run(2, 4), Run(3, 5)]

    assert latencies(runs, callers=3, opens_s=0, closes_s=9) == [1, 2, 3, 3, 3]


def test_what_ends_in_the_window_counts_and_only_that() -> None:
    """What began in the warm-up counts when it ends in the window, with all of its wait; what ends later does not."""
    runs = [Run(0, 2), Run(2, 4), Run(4, 6), Run(6, 8)]

    assert latencies(runs, callers=2, opens_s=3, closes_s=7) == [4, 4]


def test_the_runs_of_several_processes_need_no_order() -> None:
    runs = [Run(1, 3), Run(0, 2), Run(0, 1)]

    assert latencies(runs, callers=3, opens_s=0, closes_s=9) == [1, 2, 3]


def test_nothing_done_is_nothing_waited_for() -> None:
    assert latencies([], callers=3, opens_s=0, closes_s=9) == []


def test_a_window_opens_after_the_first_answer_of_every_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.peers.bare.WARM_WITHIN_S", 0.05)
    order = Order(picture="a.jpg", callers=3, seconds=0.01, warm_s=0.0)

    with pytest.raises(TimeoutError, match="2 answers"):
        run(InSteps([], answered=2), order)
    assert run(InSteps([], answered=3), order).processor_s == 1.0


@pytest.mark.parametrize("loop_of", [ThreadLoop, ProcessLoop])
def test_both_loops_answer_and_stop_when_told(loop_of: type[ThreadLoop | ProcessLoop], tmp_path: Path) -> None:
    """Twice, as they are asked at one point after the other."""
    shown = tmp_path / "green.png"
    shown.write_bytes(picture(GREEN))
    loop: Loop = loop_of(publish_bundle(tmp_path / "models").path)

    assert loop.predict(shown.read_bytes())["label"] == "green"
    for callers in (1, 3):
        done = run(loop.crew(callers), Order(str(shown), callers, seconds=0.1, warm_s=0.02))
        assert done.latencies_s
        assert done.processor_s > 0
        assert done.seconds >= 0.1
