"""How fast a picture is featurised, against bare loops of the same work and against torch; where its time goes.

    python -m bench.featurize                                      random MobileNetV2, 1,000 drawn photos, five rounds
    python -m bench.featurize --backbone nano --many 20000         and once Finial alone on so many
    python -m bench.featurize --only finial "bare loop, narrow runs" --rounds 9

Every side has a process of its own, which is started and warm before anything is timed; then they take turns, in an
order that is drawn for each round. Ratios are those of rounds. Pictures, graphs and weights are made once, below
`--cache-dir`; what Finial stores is made anew in each run.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.arguments import tell_json, told_arguments
from bench.cuda import why_no_cuda
from bench.drawn_pictures import PHOTO, drawn_pictures
from bench.featurize_sides import ON_CUDA, ON_RAY, SIDES, Job
from bench.featurize_steps import measure_steps
from bench.machine import as_line, describe
from bench.models import ROOT, random_weights
from bench.spread import ratios, spread, turns
from bench.told_process import ToldProcess
from shared.cores import usable_cores
from trainer.catalogue import NANO
from trainer.engines import OnnxEngine

QUICK_SIDES = ("finial", "bare loop, narrow runs", "finial int8", "eager torch, one by one")
Figures = dict[str, list[dict[str, float]]]


def main() -> None:
    """Print tables and one JSON object."""
    given = _arguments()
    machine = describe("torch", "torchvision", "pyarrow")
    print(as_line(machine), flush=True)
    path = _prepare()
    job = Job.model_validate_json(path.read_bytes())
    samples = drawn_pictures(job.pictures, given.many or given.pictures)[: given.pictures]
    engine = OnnxEngine(job.read_graph(), provider="cpu")
    steps = measure_steps(samples[:200], engine, job.spec)
    print(_tell_steps(steps))
    sides = given.only or list(QUICK_SIDES if given.quick else SIDES)
    without_cuda = why_no_cuda()
    print(f"CUDA: {f'nothing measured, {without_cuda}' if without_cuda else 'there is a device'}", flush=True)
    sides += [] if without_cuda or given.only else list(ON_CUDA)
    figures = _rounds(sides, path, given)
    print(_table(figures))
    many = _alone("finial", path, given.many) if given.many else None
    if many:
        print(f"{given.many:,} pictures: {many['per_s']:.1f}/s, peak {many['peak_mb']:.0f} MB")
    found = {
        "machine": machine,
        "backbone": job.backbone,
        "pictures": given.pictures,
        "size": PHOTO,
        "threads": given.threads,
        "steps_ms": steps,
        "figures": figures,
        "many": {"pictures": given.many, **many} if many else None,
        "without_cuda": without_cuda or None,
    }
    tell_json(found, given)


def _prepare() -> Path:
    """The job's file. Pictures are drawn and graphs exported in another process, for torch takes memory and threads."""
    command = [sys.executable, "-m", "bench.featurize", "--prepare", *sys.argv[1:]]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.splitlines()[-1])


def _make_job(given: argparse.Namespace) -> Path:
    from shared.cpu_features import read_cpu
    from trainer.backbones import choose_backbone, find_weights
    from trainer.graph import backbone_graph
    from trainer.int8_graph import int8_graph
    from trainer.progress import Progress

    cache: Path = given.cache_dir.resolve()
    home = cache / "bench"
    weights = given.weights
    if weights is None and given.backbone != NANO:
        weights = random_weights(given.backbone, cache / "bench-weights")
    entry, _ = choose_backbone(given.backbone, weights)
    graph = backbone_graph(entry, find_weights(entry, weights, download=False), entry.spec, cache)
    pictures = home / f"pictures-{PHOTO[0]}x{PHOTO[1]}"
    samples = drawn_pictures(pictures, max(given.pictures, given.many))[:1000]
    in_int8 = int8_graph(graph, entry.spec, samples, cache_dir=cache, cpu=read_cpu(), progress=Progress())
    graphs = {"float32": home / f"{entry.name}.onnx", "int8": home / f"{entry.name}-int8.onnx"}
    graphs["float32"].write_bytes(graph)
    graphs["int8"].write_bytes(in_int8)
    job = Job(
        pictures=pictures,
        graphs=graphs,
        spec=entry.spec,
        backbone=entry.name,
        weights=weights and weights.resolve(),
        threads=given.threads,
    )
    path = home / f"featurize-{entry.name}.json"
    path.write_text(job.model_dump_json())
    return path


def _rounds(sides: Sequence[str], job: Path, given: argparse.Namespace) -> Figures:
    figures: Figures = {name: [] for name in sides}
    with ExitStack() as stack:
        started = {name: stack.enter_context(_side(name, job)) for name in sides}
        for number, order in enumerate(turns(sides, given.rounds)):
            for name in order:
                figures[name].append(started[name].tell(given.pictures))
            found = ", ".join(f"{name} {figures[name][-1]['per_s']:.1f}" for name in sides)
            print(f"round {number + 1}, pictures a second: {found}", file=sys.stderr, flush=True)
    return figures


def _alone(name: str, job: Path, count: int) -> dict[str, float]:
    with _side(name, job) as side:
        figures: dict[str, float] = side.tell(count)
        return figures


def _side(name: str, job: Path) -> ToldProcess:
    """Told how many pictures, it answers with pictures a second, ms of processor time a picture, and its peak in MB."""
    return ToldProcess(name, [sys.executable, "-m", "bench.featurize_sides", str(job), name])


def _tell_steps(steps: dict[str, float]) -> str:
    total = sum(steps.values())
    shares = ", ".join(f"{step} {spent:.2f} ({100 * spent / total:.1f} %)" for step, spent in steps.items())
    return f"{total:.2f} ms of processor time a picture on one thread: {shares}"


def _table(figures: Figures) -> str:
    """A line for each side; against the first one by pictures a second, and by processor time."""
    first = next(iter(figures.values()))
    lines = [f"{'':<28} {'pictures/s':>24} {'cpu ms':>7} {'peak MB':>8}   {next(iter(figures))} against it"]
    for name, rounds in figures.items():
        by_clock = ratios(_column(first, "per_s"), _column(rounds, "per_s"))
        by_processor = ratios(_column(rounds, "cpu_ms"), _column(first, "cpu_ms"))
        speed = f"{spread(_column(rounds, 'per_s')):.1f}"
        lines.append(
            f"{name:<28} {speed:>24} {spread(_column(rounds, 'cpu_ms')).median:7.2f} "
            f"{max(_column(rounds, 'peak_mb')):8.0f}   {by_clock:.3f}, by processor time {by_processor:.3f}"
        )
    return "\n".join(lines)


def _column(rounds: Sequence[dict[str, float]], name: str) -> list[float]:
    return [figures[name] for figures in rounds]


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="100 pictures, two rounds, four sides")
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", type=Path, help="default: random ones; speed does not depend on them")
    parser.add_argument("--pictures", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=0, help="Finial alone on so many, once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument(
        "--only", nargs="+", choices=[*SIDES, *ON_RAY, *ON_CUDA], help="these sides; the first is the measure"
    )
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.pictures, given.rounds, given.many = min(given.pictures, 100), min(given.rounds, 2), 0
    if given.prepare:
        print(_make_job(given))
        raise SystemExit
    return given


if __name__ == "__main__":
    main()
