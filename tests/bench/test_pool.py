"""What is told of lanes is what happened: order, waits, latencies, and which fixed setting was the best."""

import asyncio
import math
from dataclasses import replace

import pytest

from bench.callers import LoopFigures, drive, figures_of
from bench.lane_settings import fixed_settings
from bench.pool import _undisturbed, best_fixed, summary
from bench.watched_pool import Fairness, WatchedPool, fairness_of
from service.pool import in_seconds


def a_point(per_s: float) -> LoopFigures:
    return LoopFigures(per_s, 1000 / per_s, 2000 / per_s, 1.0)


def test_one_core_leaves_one_fixed_setting_and_more_leave_those_between() -> None:
    """A setting that is left out could be the one that beats the adaptive lanes."""
    assert [setting.name for setting in fixed_settings(1)] == ["1 core each"]
    shares = {(setting.lanes, setting.threads) for setting in fixed_settings(8)}
    assert {(8, 1), (4, 2), (2, 4), (1, 8)} <= shares
    assert {(2, 1), (1, 2)} <= {(setting.lanes, setting.threads) for setting in fixed_settings(2)}


def test_the_best_fixed_setting_is_never_the_adaptive_one() -> None:
    by_setting = {"adaptive": [a_point(99)], "a": [a_point(10), a_point(50)], "b": [a_point(40), a_point(41)]}

    assert best_fixed(by_setting) == "b"


def test_the_ratio_to_the_best_is_taken_round_by_round() -> None:
    """Of two rounds, the second on a machine half as fast: the ratio is the same in both."""
    points = {4: {"adaptive": [a_point(90), a_point(45)], "fixed": [a_point(100), a_point(50)]}}
    fair = Fairness(served=10, overtaken=0, mean_wait_s=1.0, longest_wait_s=1.5)

    told = summary(points, {4: [fair, fair]})["4"]

    assert told["best"] == "fixed"
    assert tuple(told["ratio"]) == pytest.approx((0.9, 0.9, 0.9))
    assert (told["served"], told["overtaken"], told["longest_to_mean"]) == (20, 0, 1.5)


def test_who_is_served_after_a_later_one_was_overtaken() -> None:
    assert fairness_of([(1, 0.0), (3, 0.1), (2, 0.3), (4, 0.0)]) == Fairness(4, 1, pytest.approx(0.1), 0.3)
    assert math.isnan(fairness_of([]).longest_to_mean)


def test_the_watched_pool_notes_its_grants_in_their_order() -> None:
    pool = WatchedPool(lanes=1, max_waiting=2)
    first, second, third = (pool.enter("", in_seconds(30), lambda: None) for _ in range(3))
    for waiter in (first, second, third):
        pool.leave(waiter)

    fair = pool.fairness()

    assert (fair.served, fair.overtaken) == (3, 0)
    pool.forget()
    assert pool.fairness().served == 0


def test_as_many_are_under_way_as_there_are_callers() -> None:
    """And none any more when the point is over."""
    under_way, most = 0, 0

    async def ask() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1

    point = asyncio.run(drive(ask, callers=3, seconds=0.05, warm_s=0.01))

    assert (under_way, most) == (0, 3)
    assert point.per_s > 0


def test_a_point_that_others_disturbed_is_measured_again() -> None:
    """And where it never gets better, the least disturbed one is told."""
    shares = iter([0.5, 0.02, 0.9])

    assert _undisturbed(lambda: replace(a_point(1), others=next(shares))).others == 0.02
    assert next(shares) == 0.9

    shares = iter([0.5, 0.3, 0.4, 0.6, 0.7])
    assert _undisturbed(lambda: replace(a_point(1), others=next(shares))).others == 0.3
    assert next(shares) == 0.7


def test_a_point_without_answers_is_none() -> None:
    with pytest.raises(ValueError, match="measure for longer"):
        figures_of([], took_s=1.0, processor_s=0.0)
    assert figures_of([0.01, 0.03], took_s=0.5, processor_s=0.1) == LoopFigures(4.0, 20.0, pytest.approx(29.8), 50.0)
