"""Training again on a warm cache: from the start of the process to the published bundle, and where the time goes.

    python -m bench.retrain --weights mobilenet_v2.pth                5,000 drawn photos of 10 classes, 500 x 375
    python -m bench.retrain --weights mobilenet_v2.pth --size 64 64   the same, small: hardly anything to read and hash
    python -m bench.retrain --weights mobilenet_v2.pth --data DATA    a folder of your own

The first run fills the cache and is not counted. Each counted run is a process of its own, which publishes into a new
models folder; the bundle counts as published when `current` is written. Features are in the cache in all of them. What
files hash to is remembered in half of them; in the other half every file is read and hashed again (`--rehash`). They
take turns in an order that is drawn for each round. "Sweep and fit" is what the trainer shows as its phase `fit head`:
rows standardised, folds drawn, at least 13 strengths swept over 5 folds, and the head that is measured fitted at the
chosen one; of few pictures the trainer compares several recipes in its stead, which is its phase `try recipes`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.arguments import parse, tell, told_arguments
from bench.drawn_pictures import PHOTO, as_jpeg, draw
from bench.process_tree import own_processor_s
from bench.spread import spread, turns
from shared.cores import usable_cores
from shared.files import write_atomically

CLASSES = 10
TARGET_S, SWEEP_TARGET_S = 6.0, 2.0
READ_ANEW, REMEMBERED = "every file read and hashed again", "hashes remembered"
_OPTIONS = {READ_ANEW: ("--rehash",), REMEMBERED: ()}
_SWEEP_AND_FIT = ("phase: fit head", "phase: try recipes")
_TINTS_VARY_BY = 18.0  # grey levels; heads then get most, not all, of the classes right
_LEVELS = np.arange(256)


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        published: seconds from the start of the process until `current` was written.
        ended: seconds until the process had ended, its report written.
        processor: seconds of the processor, all in all.
        featurized: pictures that were not in the cache.
        accuracy: of the measured head.
        parts: seconds by step, as in run.json, and by phase, as its log says; phases are parts of steps.
    """

    published: float
    ended: float
    processor: float
    featurized: int
    accuracy: float
    parts: Mapping[str, float]

    @property
    def fitted(self) -> float:
        """Seconds of sweep and fit."""
        return sum(self.parts.get(phase, 0.0) for phase in _SWEEP_AND_FIT)

    @property
    def words(self) -> str:
        """For people, on one line."""
        return (
            f"published after {self.published:.2f} s, sweep and fit {self.fitted:.2f} s, ended after "
            f"{self.ended:.2f} s, {self.processor:.2f} s of processor; {self.featurized:,} pictures featurised; "
            f"accuracy {self.accuracy:.3f}"
        )


def main() -> None:
    """Print one line a run, medians by step and phase, and one JSON object at the end."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        home = arguments.folder or Path(scratch)
        size = tuple(arguments.size)
        drawn = home / f"pictures-{size[0]}x{size[1]}-{arguments.pictures}"
        data = arguments.data or write_pictures(drawn, arguments.pictures, size)
        files = [path for path in data.rglob("*") if path.is_file()]
        print(f"{len(files):,} files, {sum(path.stat().st_size for path in files) / 1e6:,.0f} MB", flush=True)
        print(f"first: {_train(data, home / 'cache', Path(scratch) / 'first', (), arguments).words}", flush=True)
        found: dict[str, list[Run]] = {name: [] for name in _OPTIONS}
        for number, name in enumerate(chain(*turns(list(_OPTIONS), arguments.rounds))):
            models = Path(scratch) / f"run-{number}"
            found[name].append(_train(data, home / "cache", models, _OPTIONS[name], arguments))
            print(f"{name}: {found[name][-1].words}", flush=True)
    _report(found)
    runs = {name: [asdict(run) for run in of_one] for name, of_one in found.items()}
    figures = {"files": len(files), "size": size, "threads": arguments.threads, "runs": runs}
    tell(figures, arguments, "torch", "pyarrow")


def write_pictures(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Drawn JPEGs in grey, no two alike, in CLASSES classes that differ in their tint; those that are there are kept.

    Args:
        folder: has a folder for each class afterwards.
        count: how many pictures there are to be.
        size: width and height in px.
    """
    random = np.random.default_rng(0)
    tints = random.uniform(-50, 50, (CLASSES, 3))
    varied = random.normal(0, _TINTS_VARY_BY, (count, 3))

    def write(number: int) -> None:
        path = folder / f"class-{number % CLASSES}" / f"{number:06}.jpg"
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        tint = tints[number % CLASSES] + varied[number]
        picture = tinted(draw(number, size).convert("L"), tint - tint.mean())
        write_atomically(path, as_jpeg(picture))  # for a folder is gone on with

    with ThreadPoolExecutor(usable_cores()) as threads:
        list(threads.map(write, range(count)))
    return folder


def tinted(grey: Image.Image, tint: NDArray[np.float64]) -> Image.Image:
    """A grey picture in colour: each channel lighter or darker by so many levels."""
    channels = [grey.point(np.clip(_LEVELS + shift, 0, 255).astype(int).tolist()) for shift in tint]
    return Image.merge("RGB", channels)


def phases(log: str) -> dict[str, float]:
    """How long each phase of a run lasted, in s, from the JSON lines that it wrote."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return {line["phase"]: line["elapsed_s"] for line in lines if line["event"] == "progress"}


def _train(data: Path, cache: Path, models: Path, options: tuple[str, ...], arguments: argparse.Namespace) -> Run:
    command = [sys.executable, "-m", "trainer", "train", str(data), "--name", "bench", "--json", *options]
    command += ["--cache-dir", str(cache), "--models-dir", str(models), "--threads", str(arguments.threads)]
    command += ["--weights", str(arguments.weights)] if arguments.weights else []
    used, started = own_processor_s(), time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ended = time.time()
    if done.returncode:
        raise SystemExit(done.stderr)
    result = json.loads(done.stdout)
    record = json.loads((Path(result["bundle"]) / "run.json").read_bytes())
    steps = {f"step: {name}": seconds for name, seconds in record["seconds"].items()}
    return Run(
        published=(models / "bench" / "current").stat().st_mtime - started,
        ended=ended - started,
        processor=own_processor_s() - used,
        featurized=result["featurized"],
        accuracy=result["metrics"]["accuracy"],
        parts=steps | {f"phase: {name}": seconds for name, seconds in phases(done.stderr).items()},
    )


def _report(found: Mapping[str, list[Run]]) -> None:
    for name, runs in found.items():
        print(f"\n{name}, {len(runs)} runs, medians and quartiles in s:")
        print(f"{'published':<28} {spread([run.published for run in runs]):.2f}  (target: {TARGET_S:g})")
        print(f"{'sweep and fit':<28} {spread([run.fitted for run in runs]):.2f}  (target: {SWEEP_TARGET_S:g})")
        print(f"{'ended':<28} {spread([run.ended for run in runs]):.2f}")
        print(f"{'of the processor':<28} {spread([run.processor for run in runs]):.2f}")
        # What is in no step is the start of the process, its imports and its end.
        for part in [part for part in runs[0].parts if all(part in run.parts for run in runs)]:
            print(f"{part:<28} {statistics.median(run.parts[part] for run in runs):.2f}")


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="one round on 500 pictures")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--size", type=int, nargs=2, default=PHOTO, metavar=("WIDTH", "HEIGHT"), help="in px")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--folder", type=Path, help="keeps drawn pictures and the cache; default: neither is kept")
    return parse(parser, pictures=500, rounds=1)


if __name__ == "__main__":
    main()
