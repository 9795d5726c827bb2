"""Execution providers side by side: ONNX Runtime's own CPU kernels and OpenVINO's, on the graph that is served.

    python -m bench.providers --openvino OTHER/bin/python       an environment with onnxruntime-openvino and numpy

The two builds of ONNX Runtime cannot be in one environment, so each side is a process of its own, told in turn to
measure. Sides: the CPU provider of this environment; OpenVINO with batches of any size, and held to one picture a run.
Measured: one caller on all cores (latency), as many callers as cores (pictures a second), opening, memory, and by how
much the answers to the bundle's golden pictures differ from the CPU provider's. With --served the whole service is
asked as well; the other environment then needs requirements/core and serve, too.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from bench.arguments import parse, tell_json, told_arguments
from bench.machine import as_line, describe
from bench.models import BACKBONES, PRECISIONS, make_bundle
from bench.providers_served import measure_served, table
from bench.providers_side import CPU, OPENVINO
from bench.spread import ratios, spread, turns
from bench.told_process import ToldProcess
from shared.bundle import read_bundle
from shared.cores import usable_cores
from shared.publish import resolve

OURS = "CPU"


def measure(model: Path, interpreter: str, *, rounds: int, seconds: float) -> dict[str, Any]:
    """All sides of one model in turn.

    Args:
        model: a bundle's version.
        interpreter: Python of the environment that has OpenVINO.
        rounds: how often each side is measured.
        seconds: of one measurement.
    """
    cores = usable_cores()
    wanted = {OURS: (sys.executable, CPU, "any"), "OpenVINO": (interpreter, OPENVINO, "any")}
    wanted["OpenVINO, one picture a run"] = (interpreter, OPENVINO, "one")
    with ExitStack() as stack:
        sides = [stack.enter_context(_side(name, model, *how, cores)) for name, how in wanted.items()]
        found: dict[str, dict[str, list[Any]]] = {side.name: {"narrow": [], "wide": []} for side in sides}
        for side in sides:
            side.tell("narrow", 1, seconds / 4)  # the first runs are slower
        for order in turns(sides, rounds):
            for side in order:
                found[side.name]["narrow"].append(side.tell("narrow", cores, seconds))
                found[side.name]["wide"].append(side.tell("wide", 1, seconds))
        return {side.name: _summary(side, found[side.name], found[OURS], sides[0].said) for side in sides}


def main() -> None:
    """Measure and print."""
    given = _arguments()
    machine = describe()
    print(as_line(machine))
    result: dict[str, Any] = {"machine": machine, "models": {}}
    print(
        f"{'model':<24}{'side':<29}pictures/s   x CPU               alone ms   x CPU               open s  MB  differ"
    )
    for model, bundle in _bundles(given):
        result["models"][model] = found = measure(bundle, given.openvino, rounds=given.rounds, seconds=given.seconds)
        for name, row in found.items():
            print(f"{model:<24}{name:<29}{_row(row)}", flush=True)
        if given.served:
            served = measure_served(
                bundle, given.openvino, cache_dir=given.cache_dir, rounds=given.rounds, seconds=2 * given.seconds
            )
            print(table(model, served), flush=True)
            found["served"] = served
    tell_json(result, given)


def _bundles(given: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """A name for each model to measure, and its version's folder."""
    if given.bundles:
        yield from ((path.name, read_bundle(resolve(path)).path) for path in given.bundles)
        return
    for backbone in given.backbones:
        for precision in given.precisions:
            yield (
                f"{backbone} {precision}",
                make_bundle(given.models_dir, backbone=backbone, precision=precision, cache_dir=given.cache_dir),
            )


def _side(name: str, model: Path, interpreter: str, provider: str, batch: str, cores: int) -> ToldProcess:
    """A process that computes one model by one provider."""
    program = str(Path(__file__).with_name("providers_side.py"))
    return ToldProcess(name, [interpreter, program, str(model.resolve() / "model.onnx"), provider, str(cores), batch])


def _summary(
    side: ToldProcess,
    found: dict[str, list[dict[str, float]]],
    ours: dict[str, list[dict[str, float]]],
    told: dict[str, Any],
) -> dict[str, Any]:
    def both(session: str, key: str) -> tuple[list[float], list[float]]:
        return [one[key] for one in found[session]], [one[key] for one in ours[session]]

    rates, our_rates = both("narrow", "per_s")
    alone, our_alone = both("wide", "median_s")
    costs, our_costs = both("narrow", "processor_s")
    return {
        "version": side.said["version"],
        "pictures_per_s": spread(rates),
        "rate_ratio": ratios(rates, our_rates),
        "processor_ms": spread([1000 * one for one in costs]),
        "processor_ratio": ratios(our_costs, costs),
        "alone_ms": spread([1000 * one for one in alone]),
        "alone_ratio": ratios(our_alone, alone),
        "open_s": side.said["open_s"],
        "memory_mb": side.said["both_mb"],
        "differs": {name: _most(side.said[name], told[name]) for name in ("probabilities", "novelty") if name in told},
        "features_differ": _relative(side.said["features"], told["features"]),
        "same_labels": bool((_labels(side.said) == _labels(told)).all()),
    }


def _most(found: Sequence[Any], expected: Sequence[Any]) -> float:
    return float(np.abs(np.array(found) - np.array(expected)).max())


def _relative(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Median norm of the features' difference over the features' own."""
    there = np.array(expected)
    return float(np.median(np.linalg.norm(np.array(found) - there, axis=1) / np.linalg.norm(there, axis=1)))


def _labels(told: dict[str, Any]) -> Any:
    return np.array(told["probabilities"]).argmax(1)


def _row(row: dict[str, Any]) -> str:
    return (
        f"{row['pictures_per_s'].median:>10.0f}   {row['rate_ratio']:.2f}   {row['alone_ms'].median:>8.2f}   "
        f"{row['alone_ratio']:.2f}   {row['open_s']:>5.2f} {row['memory_mb']:>4.0f}  features "
        f"{row['features_differ']:.1e} probabilities {row['differs']['probabilities']:.1e}"
    )


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="one model, two short rounds")
    parser.add_argument("--openvino", required=True, metavar="PYTHON", help="of an environment with that build")
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=list(BACKBONES))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.8, help="of one measurement")
    parser.add_argument("--bundles", nargs="+", type=Path, metavar="MODELS/NAME", help="measure these, not made ones")
    parser.add_argument("--served", action="store_true", help="ask the whole service as well")
    parser.add_argument("--models-dir", type=Path, default=Path("cache/bench-models"))
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    return parse(parser, backbones=["nano"], precisions=["int8"], rounds=2, seconds=0.3)


if __name__ == "__main__":
    main()
