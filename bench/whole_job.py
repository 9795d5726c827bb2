"""The whole job: from a folder of pictures to a model that can be used, ours against fastai and a plain PyTorch loop.

    python -m bench.whole_job                                             pictures that the trainer draws
    python -m bench.whole_job --data DATA --weights mobilenet_v2.pth      a folder of your own
    python -m bench.whole_job --fastai-python VENV/bin/python             where fastai is in another environment

A fifth of the pictures, by labels, is held out from everybody; then the next fifth, and so on, so that with all five
hold-outs every picture is asked about once by a model that has not seen it. Every side is a process of its own with the
same weights and as many threads; its clock runs from the start of the process, and stands still while it measures
itself on the held-out pictures after each epoch. Ours is measured once, when `current` is written: with an empty cache,
then again with what that left; its time of the processor goes on until the report is written, too. A side is as good as
ours when as many pictures of all hold-outs together are right, less half a percent of them; after which epoch that is,
is chosen with hindsight. Times are medians over the hold-outs.

fastai is in requirements/bench-fastai.txt; bench/README.md says how its environment is made. Where it is not installed
its sides are left out.

Weights whose batch norms were folded into the convolutions are spread again for the others, who could not learn with
them else. Without --weights they are random: the times are true, the accuracies mean little.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.arguments import parse, tell, told_arguments
from bench.models import ROOT, random_weights
from bench.process_tree import own_processor_s
from bench.spread import turns
from bench.whole_job_side import Reached
from shared.cores import usable_cores
from trainer.manifest import read_manifest
from trainer.progress import Quiet
from trainer.sample_pictures import write_sample_pictures
from trainer.split import make_folds
from trainer.training import targets_of

FINIAL = "Finial"
OURS, AGAIN = "Finial, empty cache", "Finial, again"
TOLERATED = 0.005
"""How far below ours an accuracy may be and still count as the same."""

HOLD_OUTS = 5

_PACKAGES = ("torch", "torchvision", "fastai")
_ENOUGH_FOR_64 = 1000  # with fastai's default of 64, fewer pictures make a few steps an epoch, and it learns nothing


@dataclass(frozen=True)
class Curve:
    """What a side reached when, in order; and when its process ended, in seconds."""

    reached: tuple[Reached, ...]
    ended: float

    @property
    def best(self) -> float:
        """The highest accuracy."""
        return max(one.accuracy for one in self.reached)

    def first(self, accuracy: float) -> Reached | None:
        """When it first reached this accuracy; None if it did not."""
        return next((one for one in self.reached if one.accuracy >= accuracy), None)


def pooled(curves: Sequence[Curve], counts: Sequence[int]) -> Curve:
    """One curve of several hold-outs: median times, and the accuracy on all their pictures together.

    Args:
        curves: of one side, for each hold-out; what only some of them came to is left out.
        counts: how many pictures each has.
    """
    together = [
        Reached(
            statistics.median(one.seconds for one in at_once),
            statistics.median(one.processor_s for one in at_once),
            float(np.average([one.accuracy for one in at_once], weights=counts)),
        )
        for at_once in zip(*(curve.reached for curve in curves), strict=False)
    ]
    return Curve(tuple(together), statistics.median(curve.ended for curve in curves))


def hold_out(data: Path, labels: str, scratch: Path, *, fold: int = 0) -> tuple[Path, Path]:
    """Copies with a folder for each label: four fifths to learn from, one to measure on; equal files stay together.

    Args:
        data, labels: as of `trainer train`.
        scratch: where copies go.
        fold: which fifth is measured on, from 0 to 4.
    """
    manifest = read_manifest(data, labels=labels, cache_dir=scratch / "hashes")
    digests = [sample.digest for sample in manifest.samples]
    held = make_folds(targets_of(manifest), digests, HOLD_OUTS, 0) == fold
    folders = scratch / "split" / "train", scratch / "split" / "test"
    for number, sample in enumerate(manifest.samples):
        target = folders[int(held[number])] / sample.label / f"{number:06}{sample.path.suffix.lower()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample.path, target)
    return folders


def run_ours(train: Path, test: Path, scratch: Path, name: str, arguments: argparse.Namespace) -> Curve:
    """`trainer train` with its defaults; the bundle is measured afterwards."""
    models = scratch / "models"
    common = ["--threads", str(arguments.threads), "--json"]
    options = ["--name", name, "--models-dir", str(models), "--cache-dir", str(scratch / "cache")]
    options += ["--weights", str(arguments.weights)]
    started, used = time.time(), own_processor_s()
    _run([sys.executable, "-m", "trainer", "train", str(train), *options, *common])
    ended, spent = time.time() - started, own_processor_s() - used
    published = (models / name / "current").stat().st_mtime - started
    told = _run([sys.executable, "-m", "trainer", "evaluate", str(models / name), str(test), *common])
    return Curve((Reached(round(published, 2), round(spent, 2), json.loads(told)["accuracy"]),), ended)


def run_side(python: str, side: str, train: Path, test: Path, options: Sequence[str]) -> Curve:
    """Another side, `bench.whole_job_SIDE`, in a Python that has what it needs."""
    command = [python, "-m", f"bench.whole_job_{side}", str(train), str(test), *options]
    found = json.loads(_run([*command, "--started", str(time.time())]).splitlines()[-1])
    return Curve(tuple(Reached(*one) for one in found["reached"]), found["ended"])


def other_sides(arguments: argparse.Namespace, count: int) -> dict[str, tuple[str, str, list[str]]]:
    """Name -> Python, module and options, for so many pictures."""
    limit, epochs = ["--limit-s", str(arguments.limit_s)], ["--epochs", str(arguments.epochs)]
    sides = {
        f"PyTorch loop, batches of {batch}": (sys.executable, "torch", ["--batch", str(batch), *limit, *epochs])
        for batch in (4, 32)
        if not arguments.without_loops
    }
    if _has_fastai(arguments.fastai_python):
        batch = ["--batch", str(64 if count >= _ENOUGH_FOR_64 else 16)]
        frozen, tuned = ["--epochs", str(min(arguments.epochs, 5))], ["--epochs", "1", "--fine-tune"]
        sides["fastai, frozen"] = arguments.fastai_python, "fastai", batch + frozen
        sides["fastai, fine_tune(1)"] = arguments.fastai_python, "fastai", batch + tuned
    return sides


def main() -> None:
    """Print the curve of each side, then when each was as good as ours, and one JSON object at the end."""
    arguments = _arguments()
    found: dict[str, list[Curve]] = {}
    counts = list[int]()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        scratch = Path(folder)
        if drawn := arguments.data is None:
            arguments.data = scratch / "drawn"
            write_sample_pictures(arguments.data, per_class=arguments.pictures // 2, seed=0, progress=Quiet())
        if random := arguments.weights is None:
            arguments.weights = random_weights(arguments.backbone, scratch / "weights")
            print("The weights are random: times are true, accuracies mean little.")
        what = "drawn pictures" if drawn else arguments.data.name
        for fold in (number - 1 for number in arguments.hold_outs):
            train, test = hold_out(arguments.data, arguments.labels, scratch / str(fold), fold=fold)
            counts.append(_count(test))
            print(f"{what}, hold-out {fold + 1}: {_count(train)} to learn from, {counts[-1]} held out", flush=True)
            for name, curve in _measure(train, test, scratch / str(fold), fold, arguments).items():
                found.setdefault(name, []).append(curve)
    _report(found, counts)
    sides = {name: [asdict(curve) for curve in curves] for name, curves in found.items()}
    tell({"random_weights": random, "held_out": counts, "sides": sides}, arguments, *_PACKAGES)


def _measure(train: Path, test: Path, scratch: Path, seed: int, arguments: argparse.Namespace) -> dict[str, Curve]:
    """Every side once, in an order that is drawn."""
    found: dict[str, Curve] = {}

    def note(name: str, curve: Curve) -> None:
        found[name] = curve
        points = (f"{at:.1f} s ({used:.1f} of the processor) {reached:.3f}" for at, used, reached in curve.reached)
        print(f"{name:<28}" + "  ".join(points), flush=True)

    weights = _for_train_mode(arguments.weights, arguments.backbone, train, scratch)
    shared = ["--weights", str(weights), "--threads", str(arguments.threads), "--backbone", arguments.backbone]
    shared += ["--seed", str(seed)]
    sides = other_sides(arguments, _count(train))
    (order,) = turns([FINIAL, *sides], 1, seed=seed)
    for name in order:
        if name == FINIAL:
            note(OURS, run_ours(train, test, scratch, "first", arguments))
            note(AGAIN, run_ours(train, test, scratch, "again", arguments))
            continue
        python, side, options = sides[name]
        note(name, run_side(python, side, train, test, [*options, *shared]))
    return found


def _for_train_mode(weights: Path, backbone: str, pictures: Path, scratch: Path) -> Path:
    """The others learn in train mode, which folded batch norms do not survive: they get them spread again."""
    from bench.batch_norms import are_folded, write_spread

    return write_spread(weights, backbone, pictures, scratch / "spread.pth") if are_folded(weights) else weights


def _report(found: Mapping[str, Sequence[Curve]], counts: Sequence[int]) -> None:
    curves = {name: pooled(of_one, counts) for name, of_one in found.items()}
    wanted = curves[OURS].best - TOLERATED
    print(
        f"{sum(counts)} pictures held out in {len(counts)} hold-outs; as good as ours less half a point, {wanted:.3f}:"
    )
    for name, curve in curves.items():
        first = curve.first(wanted)
        when = (
            f"{first.seconds:6.1f} s, {first.processor_s:6.1f} of the processor" if first else "not within its epochs"
        )
        rights = ", ".join(f"{sum(counts) * one.accuracy:.0f} after {one.seconds:.1f} s" for one in curve.reached)
        print(f"{name:<28}{when:<33} best {curve.best:.3f}; right: {rights}")


def _count(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def _has_fastai(python: str) -> bool:
    found = subprocess.run([python, "-c", "import fastai"], capture_output=True, check=False).returncode == 0
    if not found:
        print("fastai is not installed: its sides are left out (pip install fastai, or --fastai-python)")
    return found


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return done.stdout


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="40 drawn pictures, one epoch, one hold-out")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--labels", default="auto", help="as of `trainer train`")
    parser.add_argument("--pictures", type=int, default=200, help="that are drawn")
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", type=lambda text: Path(text).resolve())
    parser.add_argument("--fastai-python", default=sys.executable)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--limit-s", type=float, default=60.0, help="of the PyTorch loop, which ends with its epoch")
    parser.add_argument("--threads", type=int, default=usable_cores())
    every = range(1, HOLD_OUTS + 1)
    parser.add_argument(
        "--hold-outs", type=int, nargs="+", default=list(every), choices=every, help="which of the five"
    )
    parser.add_argument("--without-loops", action="store_true", help="fastai alone")
    parser.add_argument("--scratch", type=Path)
    return parse(parser, pictures=40, epochs=1, hold_outs=[1])


if __name__ == "__main__":
    main()
