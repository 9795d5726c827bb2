"""Where the time of featurising goes, and how much of it is not decoding and the backbone.

    python -m bench.featurizing DATA... --weights mobilenet_v2.pth

First the steps of one picture, one after the other on one thread, as shares of the processor time that they take
together. Then whole runs with an empty cache, taking turns with the barest loop that does the same decoding and the
same graph on as many threads, and with eager PyTorch: rounds in turn, so that a busy machine disturbs all alike.
Time is the processor's; wall-clock ratios are shown beside it, and mean something on a quiet machine only.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.arguments import data_arguments
from shared.cores import usable_cores
from shared.decode import TRAINER_LIMITS, decode
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec, preprocess
from trainer.backbones import BackboneEntry, Weights, build_backbone, choose_backbone, find_weights
from trainer.engines import Engine, OnnxEngine, TorchEngine
from trainer.feature_cache import PLAIN_VIEW, FeatureCache
from trainer.featurize import featurize
from trainer.graph import backbone_graph
from trainer.manifest import Sample, read_manifest
from trainer.picture_statistics import PictureStatistics, measure_picture
from trainer.statistics_cache import StatisticsCache

STEPS = ("read and hash", "decode", "resize", "statistics", "backbone", "write")


class Pace(NamedTuple):
    """Milliseconds a picture: of all processors together, and by the clock on the wall."""

    cpu_ms: float
    wall_ms: float


def main() -> None:
    """Print two tables for each data set, and one JSON object at the end."""
    arguments = _arguments()
    entry, reason = choose_backbone(arguments.backbone, arguments.weights)
    weights = find_weights(entry, arguments.weights, download=False)
    graph = backbone_graph(entry, weights, entry.spec, arguments.cache_dir)
    print(reason)
    print(
        f"machine: {platform.processor() or platform.machine()}, {usable_cores()} cores, load {os.getloadavg()[0]:.1f}"
    )
    found = {}
    for data in arguments.data:
        samples = _some(read_manifest(data, cache_dir=arguments.cache_dir).samples, arguments.pictures)
        steps = _steps(samples, OnnxEngine(graph, provider="cpu"), entry.spec)
        paces = _runs(samples, graph, entry, weights, arguments)
        _tell(data.name, len(samples), steps, paces)
        found[data.name] = {"steps_ms": steps, **{name: pace._asdict() for name, pace in paces.items()}}
    print(json.dumps({"backbone": entry.name, "threads": arguments.threads, "results": found}))


def _some(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Different pictures spread over the whole set, so that every label is met."""
    different = list({sample.digest: sample for sample in samples}.values())
    return different[:: max(1, len(different) // count)][:count]


def _steps(samples: Sequence[Sample], engine: OnnxEngine, spec: PreprocessSpec) -> dict[str, float]:
    """Processor time of each step on one thread, in ms a picture; some are done before, so that all is warm."""
    spent: dict[str, float] = defaultdict(float)
    for sample in samples[:10]:
        _one(sample, engine, spec, defaultdict(float))
    rows = [_one(sample, engine, spec, spent) for sample in samples]
    with tempfile.TemporaryDirectory() as folder, _clock(spent, "write"):
        features = FeatureCache(Path(folder), "features", engine.feature_size)
        with features.writer() as of_features, StatisticsCache(Path(folder), "statistics").writer() as of_statistics:
            for sample, (row, measured) in zip(samples, rows, strict=True):
                of_features.add(sample.digest, PLAIN_VIEW, row)
                of_statistics.add(sample.digest, measured)
    return {step: 1000 * spent[step] / len(samples) for step in STEPS}


def _one(
    sample: Sample, engine: Engine, spec: PreprocessSpec, spent: dict[str, float]
) -> tuple[NDArray[np.float32], PictureStatistics]:
    with _clock(spent, "read and hash"):
        data = sample.path.read_bytes()
        sha256_of(data)
    with _clock(spent, "decode"):
        image = decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
    with _clock(spent, "resize"):
        pixels = preprocess(image, spec)
    with _clock(spent, "statistics"):
        measured = measure_picture(data, image)
    with _clock(spent, "backbone"):
        row = engine.run(pixels[None])[0]
    return row, measured


@contextmanager
def _clock(spent: dict[str, float], step: str) -> Iterator[None]:
    before = time.thread_time()
    yield
    spent[step] += time.thread_time() - before


def _runs(
    samples: Sequence[Sample], graph: bytes, entry: BackboneEntry, weights: Weights, arguments: argparse.Namespace
) -> dict[str, Pace]:
    """Medians over the rounds, in which the three take turns."""
    threads = arguments.threads
    onnx = OnnxEngine(graph, provider="cpu")
    module = build_backbone(entry, weights)
    eager = TorchEngine(lambda: module, entry.spec, provider="cpu")

    def finial() -> None:
        with tempfile.TemporaryDirectory() as folder:
            featurize(samples, graph, entry.spec, cache_dir=Path(folder), threads=threads, provider="cpu")

    contenders = {
        "finial": finial,
        "bare loop": lambda: _bare(samples, onnx, entry.spec, threads),
        "eager PyTorch": lambda: _bare(samples, eager, entry.spec, threads),
    }
    paces: dict[str, list[Pace]] = {name: [] for name in contenders}
    for _ in range(arguments.rounds):
        for name, contender in contenders.items():
            paces[name].append(_pace(contender, len(samples)))
    return {
        name: Pace(*(statistics.median(column) for column in zip(*found, strict=True))) for name, found in paces.items()
    }


def _bare(samples: Sequence[Sample], engine: Engine, spec: PreprocessSpec, threads: int) -> None:
    """Decoding and the backbone, one picture a run and nothing else: no hashes, statistics, cache or progress."""

    def run(sample: Sample) -> None:
        image = decode(sample.path.read_bytes(), at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
        engine.run(preprocess(image, spec)[None])

    with engine.single_threaded(), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(run, samples):
            pass


def _pace(work: Callable[[], None], count: int) -> Pace:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Pace(1000 * (time.process_time() - cpu) / count, 1000 * (time.perf_counter() - wall) / count)


def _tell(name: str, count: int, steps: dict[str, float], paces: dict[str, Pace]) -> None:
    total = sum(steps.values())
    print(f"{name}, {count} pictures, {total:.2f} ms of processor time a picture:")
    print("  " + ", ".join(f"{step} {100 * spent / total:.1f} %" for step, spent in steps.items()))
    own = paces["finial"]
    for other, pace in paces.items():
        print(
            f"  {other:<14} {pace.cpu_ms:6.2f} ms processor, {pace.wall_ms:6.2f} ms wall a picture; "
            f"finial's speed is {pace.cpu_ms / own.cpu_ms:.2f} of it, {pace.wall_ms / own.wall_ms:.2f} by wall"
        )


def _arguments() -> argparse.Namespace:
    parser = data_arguments(__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
