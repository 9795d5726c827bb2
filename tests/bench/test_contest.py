"""The contest: everybody at every point, in an order that changes, and no side loses the others' figures."""

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from bench.contest import Contest, Figures, Pace, Point, Watch, figures_of, order_of
from bench.load import Load
from bench.sides import LeftOut, Running, Side, free_port, post_jpeg, wait_for_answer

POINTS = [Point("1x1", 1), Point("1x1", 8), Point("1x1", 64)]


class Loop:
    """A bare loop that answers after as long as it is told; it may end before."""

    def __init__(self, name: str = "bare", *, ends_after: int = 99) -> None:
        self.side, self.left, self.orders = Side(name, "loop", takes_orders=True), ends_after, list[dict[str, Any]]()

    @contextlib.contextmanager
    def turn(self) -> Iterator[list[int]]:
        yield [os.getpid()]

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        self.orders.append(order)
        if len(self.orders) > self.left:
            raise LeftOut("it has ended")
        return {"seconds": 2.0, "processor_s": 1.0, "latencies_s": [0.01] * 100}


class Gone(Loop):
    """A server that nobody listens for any more."""

    def __init__(self) -> None:
        super().__init__("gone")
        self.side, self.port = Side("gone", "server", ask=post_jpeg), free_port()


def contest(tmp_path: Path, *sides: Loop) -> Contest:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    running = [cast("Running", side) for side in sides]
    return Contest(running, cast("Running", Gone()), {"1x1": tmp_path / "a.jpg"}, Pace(0.05, 0.0))


def test_every_side_is_measured_at_every_point_in_every_round_and_the_order_changes() -> None:
    sides = [cast("Running", Loop(name)) for name in "ab"]
    order = list(order_of(POINTS, sides, 9))

    assert len(set(order)) == len(order) == 9 * len(POINTS) * len(sides)
    assert [number for number, _, _ in order] == sorted(number for number, _, _ in order)
    points = [tuple(point.clients for one, point, side in order if one == number) for number in range(9)]
    assert len(set(points)) > 1, "64 clients would always follow 8"


def test_a_side_that_ends_in_the_middle_loses_nobodys_figures(tmp_path: Path) -> None:
    steady, ending = Loop("bare"), Loop("bare-processes", ends_after=2)
    found, told = contest(tmp_path, steady, ending), list[str]()

    found.run(POINTS, 3, told.append)

    assert sum(each.side == "bare" for each in found.figures) == 9
    assert sum(each.side == "bare-processes" for each in found.figures) == 2
    assert [each.reason for each in found.troubles] == ["LeftOut: it has ended"] * 4, "then it is asked no more"
    assert any("it has ended" in line for line in told)


def test_a_server_that_is_gone_is_a_trouble_and_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.contest.wait_for_answer", partial(wait_for_answer, within_s=0.1))
    found = contest(tmp_path, Gone(), Loop())

    found.run(POINTS, 1, lambda _: None)

    assert {each.side for each in found.figures} == {"bare"}
    assert len(found.troubles) == 3
    assert "Connect" in found.troubles[0].reason


def test_a_client_that_reaches_nobody_does_not_make_a_loop_look_measured_beside_it(tmp_path: Path) -> None:
    found = contest(tmp_path, Loop())
    beside = Contest(found.sides, cast("Running", Gone()), {"1x1": tmp_path / "a.jpg"}, Pace(0.05, 0.0), beside=True)

    beside.run(POINTS[:1], 1, lambda _: None)

    assert beside.figures == []
    assert len(beside.troubles) == 1


def test_rates_of_open_loops_are_shares_of_the_faster_loop_and_found_once(tmp_path: Path) -> None:
    loops = Loop("bare"), Loop("bare-processes")
    found = contest(tmp_path, *loops)

    found.run([Point("1x1", 64, 0.5), Point("1x1", 64, 0.8)], 3, lambda _: None)

    assert found.limits == {"1x1": 50.0}
    assert [len(loop.orders) for loop in loops] == [1, 1]
    assert {order["callers"] for loop in loops for order in loop.orders} == {8}


def test_an_open_loop_needs_a_bare_one(tmp_path: Path) -> None:
    with pytest.raises(LeftOut, match="needs the rate of a bare loop"):
        contest(tmp_path, Gone()).run([Point("1x1", 64, 0.5)], 1, lambda _: None)


def test_figures_are_those_of_the_answered_requests() -> None:
    load = Load(2.0, answered=4, latencies_s=[0.01, 0.01, 0.01, 0.03], client_s=0.004, watched=[1.0, 1.2])
    load.failures["503"] = 1

    found = figures_of("it", POINTS[0], 0, load, 100.0, {"main": 0.02})

    assert (found.per_s, found.answers, found.p50_ms) == (2.0, 4, 10.0)
    assert found.processor_ms == pytest.approx(50)
    assert found.client_ms == pytest.approx(1)
    assert found.threads_ms == {"main": pytest.approx(5)}
    assert found.failures == {"503": 1}


def test_where_nothing_was_answered_there_is_no_latency() -> None:
    """NaN is no JSON."""
    found = figures_of("it", POINTS[0], 0, Load(2.0, watched=[0.0, 0.0]), 100.0, {})

    assert isinstance(found, Figures)
    assert (found.per_s, found.p50_ms, found.p99_ms, found.answers) == (0.0, None, None, 0)


def test_a_watch_tells_what_was_used_between_its_looks() -> None:
    watch = Watch([os.getpid()])
    begun_s = watch()
    while watch() - begun_s < 0.05:
        sum(range(100_000))

    assert watch.threads()["main"] >= 0.03
