"""The whole job: from a folder of pictures to a model that can be used, ours against fastai and a plain PyTorch loop.

    python -m bench.whole_job                                             pictures that the trainer draws
    python -m bench.whole_job --data DATA --weights mobilenet_v2.pth      a folder of your own
    python -m bench.whole_job --fastai-python VENV/bin/python             where fastai is in another environment

A fifth of the pictures, by labels, is held out from everybody. Every side is a process of its own with the same weights
and as many threads; its clock runs from the start of the process, and stands still while it measures itself on the
held-out pictures after each epoch. Ours is measured once, when `current` is written: with an empty cache, then again
with what that left. fastai comes from `pip install fastai`; where it is not installed its sides are left out.

Weights whose batch norms were folded into the convolutions are spread again for the others, who could not learn with
them else. Without --weights they are random: the times are true, the accuracies mean little.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.arguments import tell, told_arguments
from bench.models import ROOT, random_weights
from shared.cores import usable_cores
from trainer.manifest import read_manifest
from trainer.progress import Quiet
from trainer.sample_pictures import write_sample_pictures
from trainer.split import make_folds
from trainer.training import targets_of

OURS, AGAIN = "Finial, empty cache", "Finial, again"
TOLERATED = 0.005
"""How far below ours an accuracy may be and still count as the same."""

_PACKAGES = ("torch", "torchvision", "fastai")
_ENOUGH_FOR_64 = 1000  # with fastai's default of 64, fewer pictures make a few steps an epoch, and it learns nothing


@dataclass(frozen=True)
class Curve:
    """What a side reached when: (seconds, accuracy), in order; and when its process ended."""

    points: tuple[tuple[float, float], ...]
    ended: float

    @property
    def best(self) -> float:
        """The highest accuracy."""
        return max(accuracy for _, accuracy in self.points)

    def seconds_to(self, accuracy: float) -> float | None:
        """When it first reached this accuracy; None if it never did."""
        return next((seconds for seconds, reached in self.points if reached >= accuracy), None)


def hold_out(data: Path, labels: str, scratch: Path) -> tuple[Path, Path]:
    """Copies with a folder for each label: four fifths to learn from, one to measure on; equal files stay together."""
    manifest = read_manifest(data, labels=labels, cache_dir=scratch / "hashes")
    digests = [sample.digest for sample in manifest.samples]
    held = make_folds(targets_of(manifest), digests, 5, 0) == 0
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
    started = time.time()
    _run([sys.executable, "-m", "trainer", "train", str(train), *options, *common])
    ended = time.time() - started
    published = (models / name / "current").stat().st_mtime - started
    told = _run([sys.executable, "-m", "trainer", "evaluate", str(models / name), str(test), *common])
    return Curve(((round(published, 2), json.loads(told)["accuracy"]),), ended)


def run_side(python: str, side: str, train: Path, test: Path, options: Sequence[str]) -> Curve:
    """Another side, `bench.whole_job_SIDE`, in a Python that has what it needs."""
    command = [python, "-m", f"bench.whole_job_{side}", str(train), str(test), *options]
    found = json.loads(_run([*command, "--started", str(time.time())]).splitlines()[-1])
    return Curve(tuple((seconds, accuracy) for seconds, accuracy in found["points"]), found["ended"])


def other_sides(arguments: argparse.Namespace, count: int) -> dict[str, tuple[str, str, list[str]]]:
    """Name -> Python, module and options, for so many pictures."""
    limit, epochs = ["--limit-s", str(arguments.limit_s)], ["--epochs", str(arguments.epochs)]
    sides = {
        f"PyTorch loop, batches of {batch}": (sys.executable, "torch", ["--batch", str(batch), *limit, *epochs])
        for batch in (4, 32)
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
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        scratch = Path(folder)
        if drawn := arguments.data is None:
            arguments.data = scratch / "drawn"
            write_sample_pictures(arguments.data, per_class=arguments.pictures // 2, seed=0, progress=Quiet())
        if random := arguments.weights is None:
            arguments.weights = random_weights(arguments.backbone, scratch / "weights")
        train, test = hold_out(arguments.data, arguments.labels, scratch)
        what = "drawn pictures" if drawn else arguments.data.name
        print(f"{what}: {_count(train)} to learn from, {_count(test)} held out")
        if random:
            print("The weights are random: times are true, accuracies mean little.")
        found = _measure(train, test, scratch, arguments)
    _report(found)
    sides = {name: asdict(curve) for name, curve in found.items()}
    tell({"random_weights": random, "sides": sides}, arguments, *_PACKAGES)


def _measure(train: Path, test: Path, scratch: Path, arguments: argparse.Namespace) -> dict[str, Curve]:
    found: dict[str, Curve] = {}

    def note(name: str, curve: Curve) -> None:
        found[name] = curve
        print(f"{name:<28}" + "  ".join(f"{at:.1f} s {reached:.3f}" for at, reached in curve.points), flush=True)

    for number, name in enumerate((OURS, AGAIN)):
        note(name, run_ours(train, test, scratch, f"run-{number}", arguments))
    weights = _for_train_mode(arguments.weights, arguments.backbone, train, scratch)
    shared = ["--weights", str(weights), "--threads", str(arguments.threads), "--backbone", arguments.backbone]
    for name, (python, side, options) in other_sides(arguments, _count(train)).items():
        note(name, run_side(python, side, train, test, [*options, *shared]))
    return found


def _for_train_mode(weights: Path, backbone: str, pictures: Path, scratch: Path) -> Path:
    """The others learn in train mode, which folded batch norms do not survive: they get them spread again."""
    from bench.batch_norms import are_folded, write_spread

    return write_spread(weights, backbone, pictures, scratch / "spread.pth") if are_folded(weights) else weights


def _report(found: dict[str, Curve]) -> None:
    wanted = found[OURS].best - TOLERATED
    print(f"seconds to an accuracy of {wanted:.3f}, which is ours less half a point; and the best of each:")
    for name, curve in found.items():
        seconds = curve.seconds_to(wanted)
        reached = f"{seconds:7.1f} s" if seconds is not None else "  never  "
        print(f"{name:<28}{reached}  best {curve.best:.3f}  {curve.ended:7.1f} s in all")


def _count(folder: Path) -> int:
    return int(np.sum([path.is_file() for path in folder.rglob("*")]))


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
    parser = told_arguments(__doc__, quick="40 drawn pictures, one epoch")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--labels", default="auto", help="as of `trainer train`")
    parser.add_argument("--pictures", type=int, default=200, help="that are drawn")
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", type=lambda text: Path(text).resolve())
    parser.add_argument("--fastai-python", default=sys.executable)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--limit-s", type=float, default=60.0, help="of the PyTorch loop, which ends with its epoch")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--scratch", type=Path)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.pictures, arguments.epochs = 40, 1
    return arguments


if __name__ == "__main__":
    main()
