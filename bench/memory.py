"""Memory while featurising: peak of a run over a few pictures against one over many, each in a fresh process.

    python -m bench.memory                       1,000 against 20,000 small pictures, the embedded backbone
    python -m bench.memory --weights mobilenet_v2.pth --large 100000

Everything before the head is the trainer's own: manifest with hashes, its audit, cache, decoding, statistics, the
graph. That is exported beforehand, so that torch does not hide the rest. The peak is the kernel's (VmHWM), read when
the last picture has been computed, and again when features and statistics have been handed over, which the head needs
anyway.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.arguments import tell, tell_json, told_arguments
from shared.preprocess import PreprocessSpec
from trainer.audit import audit_manifest
from trainer.featurize import featurize
from trainer.manifest import read_manifest
from trainer.progress import Phase, Progress, Stretch
from trainer.ray_settings import EngineName, RayOptions

CLASSES, SIDE_PX = 4, 96


def main() -> None:
    """Print one line a run, the growth, and one JSON object at the end."""
    arguments = sized_arguments(__doc__, small=1_000, large=20_000)
    if arguments.measure is not None:
        tell_json(_measure(arguments.measure, arguments.threads, arguments.engine), arguments)
        return
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        graph = Path(scratch) / "graph.onnx"
        backbone = export(arguments, graph)
        runs = {}
        for count in (arguments.small, arguments.large):
            folder = Path(scratch) / str(count)
            write_pictures(folder / "pictures", count)
            runs[count] = run(folder, graph, arguments.threads)
            print(f"{count:>8,} pictures: {_words(runs[count])}", flush=True)
    few, many = runs.values()
    growth = {name: round(many[name] - few[name], 1) for name in few}
    print(f"growth: {_words(growth)}")
    found = {"backbone": backbone, "threads": arguments.threads, "runs": runs, "growth_mb": growth}
    tell(found, arguments, "pyarrow")


def _words(run: dict[str, float]) -> str:
    return (
        f"{run['computing']:6.1f} MB when the last picture is computed, {run['handed_over']:6.1f} MB when "
        f"{run['result']:.1f} MB of features and statistics are handed over"
    )


def export(arguments: argparse.Namespace, graph: Path) -> str:
    """In a process of its own; gives the name of the backbone."""
    program = (
        "import sys; from pathlib import Path; from trainer.backbones import choose_backbone, find_weights\n"
        "from trainer.graph import backbone_graph\n"
        "path, cache, name, weights = sys.argv[1:]; weights = Path(weights) if weights else None\n"
        "entry, _ = choose_backbone(name or None, weights)\n"
        "found = find_weights(entry, weights, download=False)\n"
        "Path(path).write_bytes(backbone_graph(entry, found, entry.spec, Path(cache)))\n"
        "Path(path).with_suffix('.json').write_text(entry.spec.model_dump_json())\n"
        "print(entry.name)"
    )
    weights = str(arguments.weights or "")
    backbone = arguments.backbone or ("" if weights else "nano")
    command = [sys.executable, "-c", program, str(graph), str(graph.parent / "graphs"), backbone, weights]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write_pictures(folder: Path, count: int) -> None:
    """Small JPEGs of smooth noise, no two alike, in a few classes."""
    random = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"class-{number % CLASSES}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        noise.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).save(path, quality=85)


def run(folder: Path, graph: Path, threads: int) -> dict[str, float]:
    """Peaks in MB (10^6 bytes) of featurising folder/pictures with a graph, in a new process."""
    command = measuring(folder, graph, threads, "onnxruntime")
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measuring(folder: Path, graph: Path, threads: int, engine: str) -> list[str]:
    """The command that does it, on this machine or by a cluster of it."""
    os.link(graph, folder / graph.name)
    os.link(graph.with_suffix(".json"), folder / "graph.json")
    named = ["--measure", str(folder), "--threads", str(threads), "--engine", engine]
    return [sys.executable, "-m", "bench.memory", *named]


def _measure(folder: Path, threads: int, engine: EngineName) -> dict[str, float]:
    """Featurise the pictures of a folder in this process; peaks in MB (10^6 bytes)."""
    peaks = _Peaks()
    progress = Progress(peaks)
    manifest = audit_manifest(
        read_manifest(folder / "pictures", cache_dir=folder / "cache", progress=progress)
    ).manifest
    spec = PreprocessSpec.model_validate_json((folder / "graph.json").read_bytes())
    graph = (folder / "graph.onnx").read_bytes()
    found = featurize(
        manifest.samples,
        graph,
        spec,
        cache_dir=folder / "cache",
        threads=threads,
        provider="cpu",
        progress=progress,
        engine=engine,
        ray=RayOptions(cpus_here=threads),
    )
    if found.featurized != len(manifest.samples):
        raise SystemExit(f"{found.featurized} of {len(manifest.samples)} pictures were computed")
    return {
        "computing": peaks.after["featurize"],
        "handed_over": peak_mb(),
        "result": (found.values.nbytes + found.statistics.grey.nbytes) / 1e6,
    }


class _Peaks:
    """Shows nothing, and keeps the peak at the end of each phase."""

    def __init__(self) -> None:
        self.after: dict[str, float] = {}

    @contextlib.contextmanager
    def phase(self, stretch: Stretch) -> Iterator[Phase]:
        yield Phase(lambda _done: None)
        self.after[stretch.name] = peak_mb()

    def say(self, event: str, text: str, fields: dict[str, Any]) -> None:
        pass


def peak_mb() -> float:
    """Most memory that this program has had at once, in 10^6 bytes; of itself alone, unlike getrusage's."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e6


def sized_arguments(description: str | None, *, small: int, large: int) -> argparse.Namespace:
    """How many pictures, by which backbone, on how many threads: what the command line says."""
    parser = told_arguments(description, quick="200 against 2,000 pictures")
    parser.add_argument("--small", type=int, default=small)
    parser.add_argument("--large", type=int, default=large)
    parser.add_argument("--backbone")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="where the pictures are written; default: the system's")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--engine", default="onnxruntime", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.small, given.large = min(given.small, 200), min(given.large, 2_000)
    return given


if __name__ == "__main__":
    main()
