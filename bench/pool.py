"""Adaptive lanes against every fixed setting, at 1 to 64 callers: decode and run, without HTTP.

    python -m bench.pool                                     all models; makes those that are not there
    python -m bench.pool --models mobilenet_v2-int8 --callers 1 2 4

A fixed setting is a number of lanes and of threads a run; all are made of the service's own parts, work in turns in a
shuffled order, and each ratio is taken within a round. The best fixed setting of a number of callers is the one with
the most answers a second there, which for one caller is the one with the shortest latency.
"""

import argparse
import asyncio
import contextlib
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from bench.arguments import parse, tell, told_arguments
from bench.callers import LoopFigures, drive, wait_until_quiet
from bench.drawn import picture_of
from bench.lane_settings import MODEL, Contender, LaneSetting, adaptive, at_work, fixed_settings
from bench.models import BACKBONES, PRECISIONS, make_bundle
from bench.spread import ratios, spread, turns
from bench.watched_pool import Fairness
from service.pool import in_seconds
from shared.cores import usable_cores
from trainer.catalogue import NANO

CALLERS = (1, 2, 4, 8, 16, 32, 64)
MODELS = tuple(f"{name}-{precision}" for name in BACKBONES if name != NANO for precision in PRECISIONS)
TARGET = 0.95
OTHERS_AT_MOST, TRIES = 0.1, 4

Points = dict[int, dict[str, list[LoopFigures]]]
"""By callers, by setting, by round."""


def main() -> None:
    """Print a table a model and one JSON object at the end."""
    given = _arguments()
    cores = usable_cores()
    settings = [adaptive(cores), *fixed_settings(cores)]
    found = {}
    for name in given.models:
        backbone, precision = name.rsplit("-", 1)
        path = make_bundle(given.folder, backbone=backbone, precision=precision, cache_dir=given.cache_dir)
        points, fairness = measure(path, settings, given)
        found[name] = summary(points, fairness)
        print(table(name, points, found[name]), flush=True)
    tell({"seconds": given.seconds, "rounds": given.rounds, "models": found}, given, "torch")


def measure(
    path: Path, settings: Sequence[LaneSetting], given: argparse.Namespace
) -> tuple[Points, dict[int, list[Fairness]]]:
    """All points of one model, and how fair the adaptive lanes were."""
    picture = picture_of(given.picture)
    points: Points = {callers: {setting.name: [] for setting in settings} for callers in given.callers}
    fairness: dict[int, list[Fairness]] = {callers: [] for callers in given.callers}
    with contextlib.ExitStack() as stack:
        most = max(given.callers)
        opened = [stack.enter_context(at_work(setting, path, max_waiting=most)) for setting in settings]
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        for turn in turns([(one, callers) for one in opened for callers in given.callers], given.rounds):
            for contender, callers in turn:
                point = _undisturbed(partial(_run, runner, contender, picture, callers, given.seconds))
                points[callers][contender.setting.name].append(point)
                if contender is opened[0]:
                    fairness[callers].append(contender.pool.fairness())
    return points, fairness


def _undisturbed(measure_point: Callable[[], LoopFigures]) -> LoopFigures:
    """A point; measured again, a few times at most, where other programs took part of the machine."""
    tries = list[LoopFigures]()
    while not tries or (tries[-1].others > OTHERS_AT_MOST and len(tries) < TRIES):
        wait_until_quiet()
        tries.append(measure_point())
    return min(tries, key=lambda point: point.others)


def _run(runner: asyncio.Runner, contender: Contender, picture: bytes, callers: int, seconds: float) -> LoopFigures:
    return runner.run(_drive(contender, picture, callers, seconds))


async def _drive(contender: Contender, picture: bytes, callers: int, seconds: float) -> LoopFigures:
    async def ask() -> object:
        return await contender.classifier.classify(picture, model=MODEL, count=5, deadline=in_seconds(60))

    return await drive(ask, callers=callers, seconds=seconds, begin=contender.pool.forget)


def best_fixed(points: dict[str, list[LoopFigures]]) -> str:
    """Name of the fixed setting with the most answers a second, by the median of the rounds; the first is adaptive."""
    return max(list(points)[1:], key=lambda name: statistics.median(_per_s(points[name])))


def _per_s(points: Sequence[LoopFigures]) -> list[float]:
    return [point.per_s for point in points]


def summary(points: Points, fairness: dict[int, list[Fairness]]) -> dict[str, Any]:
    """By callers: medians of every setting, the best fixed one, the ratio to it, and how fair waiting was."""
    told = {}
    for callers, by_setting in points.items():
        ours, *_ = by_setting.values()
        best = best_fixed(by_setting)
        fair = fairness[callers]
        told[str(callers)] = {
            "settings": {name: _medians(rounds) for name, rounds in by_setting.items()},
            "best": best,
            "ratio": ratios(_per_s(ours), _per_s(by_setting[best])),
            "overtaken": sum(each.overtaken for each in fair),
            "served": sum(each.served for each in fair),
            "longest_to_mean": _unless_nan(statistics.median(each.longest_to_mean for each in fair)),
        }
    return told


def _unless_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _medians(rounds: Sequence[LoopFigures]) -> dict[str, float]:
    fields = asdict(rounds[0])
    return {name: round(statistics.median(getattr(each, name) for each in rounds), 3) for name in fields}


def table(name: str, points: Points, told: dict[str, Any]) -> str:
    """For people."""
    names = list(next(iter(points.values())))
    lines = [f"\n{name}: answers a second; median and 99th percentile of the latency in ms, adaptive and best fixed"]
    lines.append(
        "callers | " + " | ".join(names) + " | to the best fixed | latency, adaptive | latency, best | fairness"
    )
    for callers, by_setting in points.items():
        row = told[str(callers)]
        speeds = " | ".join(f"{spread(_per_s(rounds)).median:.1f}" for rounds in by_setting.values())
        mark = "" if row["ratio"].median >= TARGET else " below the target"
        latency = [
            f"{row['settings'][each]['median_ms']:.1f}, {row['settings'][each]['p99_ms']:.1f}"
            for each in (names[0], row["best"])
        ]
        waits = "nobody waits" if row["longest_to_mean"] is None else f"{row['longest_to_mean']:.2f}"
        fair = f"{waits}, {row['overtaken']} overtaken"
        lines.append(
            f"{callers:>7} | {speeds} | {row['ratio']:.2f}{mark} ({row['best']}) | {' | '.join(latency)} | {fair}"
        )
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="a few seconds, nano, 1 and 4 callers")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=[*MODELS, *(f"{NANO}-{p}" for p in PRECISIONS)])
    parser.add_argument("--callers", nargs="+", type=int, default=CALLERS)
    parser.add_argument("--seconds", type=float, default=1.5, help="of every point")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path, help="default: a drawn JPEG of 320 x 240")
    parser.add_argument("--folder", type=Path, default=Path("cache/bench-models"), help="where models are kept")
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    return parse(parser, models=(f"{NANO}-float32",), callers=(1, 4), seconds=0.3, rounds=2)


if __name__ == "__main__":
    main()
