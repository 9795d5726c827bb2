"""Training again on a warm cache: from the start of the process to the published bundle, and where the time goes.

    python -m bench.retrain --weights mobilenet_v2.pth                5,000 drawn pictures of 10 classes
    python -m bench.retrain --weights mobilenet_v2.pth --data DATA    a folder of your own

The first run fills the cache and is not counted. Each counted run is a process of its own, which publishes into a new
models folder; the bundle counts as published when `current` is written.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.arguments import tell, told_arguments
from bench.spread import spread
from shared.cores import usable_cores

CLASSES, SIDE_PX = 10, 64
TARGET_S = 6.0
_TINTS_VARY_BY = 18.0  # grey levels; heads then get most, not all, of the classes right


def main() -> None:
    """Print one line a run, the medians by step, and one JSON object at the end."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        data = arguments.data or write_pictures(Path(scratch) / "pictures", arguments.pictures)
        cache = arguments.cache_dir or Path(scratch) / "cache"
        runs = []
        for number in range(arguments.runs + 1):
            run = _train(data, cache, Path(scratch) / f"models-{number}", arguments)
            print(f"{'first' if number == 0 else number}: {_words(run)}", flush=True)
            runs.append(run)
    medians = _medians(runs[1:])
    for step, seconds in medians.items():
        print(f"{step:>12}  {seconds:6.2f} s")
    published = spread([run["published"] for run in runs[1:]])
    print(f"published after {published:.2f} s; the target is {TARGET_S:g} s")
    told = {"pictures": arguments.pictures, "threads": arguments.threads, "medians_s": medians}
    tell({**told, "published_s": published._asdict()}, arguments, "torch", "pyarrow")


def write_pictures(folder: Path, count: int) -> Path:
    """Small JPEGs of grey noise, no two alike, in CLASSES classes that differ in their tint."""
    random = np.random.default_rng(0)
    tints = random.uniform(-50, 50, (CLASSES, 3))
    for number in range(count):
        of_class = number % CLASSES
        tint = tints[of_class] + random.normal(0, _TINTS_VARY_BY, 3)
        pixels = np.clip(random.uniform(60, 195, (8, 8, 1)) + tint - tint.mean(), 0, 255)
        path = folder / f"class-{of_class}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels.astype(np.uint8)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
        picture.save(path, quality=85)
    return folder


def _train(data: Path, cache: Path, models: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of one run: on the wall until `current` was written, of the processor, and by step."""
    command = [sys.executable, "-m", "trainer", "train", str(data), "--name", "bench", "--json"]
    command += ["--cache-dir", str(cache), "--models-dir", str(models), "--threads", str(arguments.threads)]
    command += ["--weights", str(arguments.weights)] if arguments.weights else []
    used, started = _processor_s(), time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ended = time.time()
    if done.returncode:
        raise SystemExit(done.stderr)
    result = json.loads(done.stdout)
    record = json.loads((Path(result["bundle"]) / "run.json").read_bytes())
    published = (models / "bench" / "current").stat().st_mtime
    return {
        "published": published - started,
        "ended": ended - started,
        "processor": _processor_s() - used,
        "featurized": result["featurized"],
        "accuracy": result["metrics"]["accuracy"],
        "steps": record["seconds"],
    }


def _processor_s() -> float:
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return of_children.ru_utime + of_children.ru_stime


def _words(run: dict[str, Any]) -> str:
    return (
        f"published after {run['published']:.2f} s, ended after {run['ended']:.2f} s, {run['processor']:.2f} s of "
        f"processor; {run['featurized']:,} pictures featurised; accuracy {run['accuracy']:.3f}"
    )


def _medians(runs: list[dict[str, Any]]) -> dict[str, float]:
    """By step; what is not in a step is the start of the process, its imports and its end."""
    totals = {name: [run[name] for run in runs] for name in ("published", "ended", "processor")}
    steps = {step: [run["steps"][step] for run in runs] for step in runs[0]["steps"]}
    other = {"other": [run["ended"] - sum(run["steps"].values()) for run in runs]}
    return {name: round(statistics.median(values), 2) for name, values in (totals | steps | other).items()}


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="one run on 500 pictures")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--cache-dir", type=Path)
    parser.add_argument("--scratch", type=Path)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.pictures, arguments.runs = 500, 1
    return arguments


if __name__ == "__main__":
    main()
