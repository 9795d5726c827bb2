"""The part of `bench.providers` that asks the whole service: once with the CPU's build, once with OpenVINO's."""

import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.drawn_pictures import drawn_pictures
from bench.http_client import post
from bench.load import Load, closed_loop
from bench.serving import serving
from bench.spread import ratios, spread, turns

CALLERS = (1, 8)
_WARM_S = 0.3


def measure_served(version: Path, openvino: str, *, cache_dir: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Both services in turn, asked about one drawn photo in closed loops.

    Args:
        version: a bundle's folder; each service has it alone.
        openvino: Python of an environment with requirements/core, serve and onnxruntime-openvino.
        cache_dir: where the drawn photo is kept.
        rounds: how often each is measured.
        seconds: of one measurement.

    Returns:
        By side: seconds to ready, MB (10^6 bytes) at the end, and by number of callers requests a second, median
        latency in ms, and both as ratios to the CPU provider's (above 1: better).
    """
    request = post(drawn_pictures(cache_dir / "bench-photos", 1)[0].path.read_bytes(), content_type="image/jpeg")
    with ExitStack() as stack:
        models = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (models / "model").mkdir()
        (models / "model" / version.name).symlink_to(version.resolve(), target_is_directory=True)
        (models / "model" / "current").write_text(version.name)
        services, ready_s = {}, {}
        for name, python, device in (("CPU", sys.executable, "cpu"), ("OpenVINO", openvino, "openvino")):
            begun = time.perf_counter()
            services[name] = stack.enter_context(serving(models, "--device", device, python=python))
            services[name].wait_until_ready(every_s=0.005)
            ready_s[name] = time.perf_counter() - begun
        found: dict[tuple[str, int], list[Load]] = {(name, callers): [] for name in services for callers in CALLERS}
        for order in turns(list(found), rounds):
            for name, callers in order:
                port = services[name].port
                load = closed_loop(port, request, callers=callers, seconds=seconds, warm_s=_WARM_S)
                found[name, callers].append(load)
        memory = {name: service.memory_mb() for name, service in services.items()}
    return {
        name: {
            "ready_s": ready_s[name],
            "memory_mb": memory[name],
            "callers": {callers: _summary(found[name, callers], found["CPU", callers]) for callers in CALLERS},
        }
        for name in services
    }


def table(model: str, found: dict[str, Any]) -> str:
    """The same for people."""
    lines = []
    for name, side in found.items():
        for callers, row in side["callers"].items():
            lines.append(
                f"{model:<24}{name:<10}{callers:>2} callers {row['per_s']:>18.0f}/s  x {row['rate_ratio']:.2f}   "
                f"{row['median_ms']:>18.2f} ms  x {row['latency_ratio']:.2f}   ready {side['ready_s']:.2f} s  "
                f"{side['memory_mb']:.0f} MB"
            )
    return "\n".join(lines)


def _summary(loads: list[Load], of_cpu: list[Load]) -> dict[str, Any]:
    if failures := sum((load.failures for load in loads), start=Counter[str]()):
        raise SystemExit(f"requests failed: {dict(failures)}")
    rates, cpu_rates = ([load.answered / load.seconds for load in each] for each in (loads, of_cpu))
    medians, cpu_medians = ([1000 * spread(load.latencies_s).median for load in each] for each in (loads, of_cpu))
    return {
        "per_s": spread(rates),
        "rate_ratio": ratios(rates, cpu_rates),
        "median_ms": spread(medians),
        "latency_ratio": ratios(cpu_medians, medians),
    }
