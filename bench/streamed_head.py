"""The probe on more rows than memory shall hold: seconds and peak memory, and the same rows in memory where they fit.

    python -m bench.streamed_head                        1,000,000 x 1,280 made features of 100 classes, from disk
    python -m bench.streamed_head --rows 50000 --both    from disk and in memory, in processes of their own

The file of the features takes 4 bytes a number (5.1 GB) in `--folder`, without a name, and is gone at the end.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.arguments import parse, tell, told_arguments
from bench.memory import peak_mb
from shared.cores import usable_cores
from trainer.head import HeadFit
from trainer.linear_probe import fit_linear_probe
from trainer.live_metrics import HeadStep
from trainer.metrics import accuracy, log_loss, softmax
from trainer.rows_on_disk import RowFile
from trainer.streamed_probe import fit_streamed_probe

DISK, MEMORY = "from disk", "in memory"
_AT_ONCE = 10_000
_COMMON, _OWN = 64, 0.45  # directions that all classes share, and how far classes are apart along their own
_HELD_OUT = 20_000


@dataclass(frozen=True)
class Task:
    """What a side is to fit: made rows, on so many threads; a file of them goes into the folder."""

    rows: int
    size: int
    classes: int
    threads: int
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """One fit; what it says of rows that it has not seen, its seconds, and the peak of its process."""

    seconds: float
    processor_s: float
    peak_mb: float
    accuracy: float
    log_loss: float
    l2: float
    strengths: int


def made_blocks(count: int, size: int, classes: int, *, seed: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Rectified, correlated features in blocks, and where each begins; row r is of class r modulo `classes`."""
    shared = np.random.default_rng(0)
    mixing = (shared.normal(size=(_COMMON, size)) / np.sqrt(_COMMON)).astype(np.float32)
    centres = shared.normal(0, _OWN, (classes, _COMMON)).astype(np.float32)
    for start in range(0, count, _AT_ONCE):
        random = np.random.default_rng((seed, start))
        rows = min(_AT_ONCE, count - start)
        own = random.standard_normal((rows, _COMMON), np.float32) + centres[(start + np.arange(rows)) % classes]
        yield start, np.maximum(own @ mixing + random.standard_normal((rows, size), np.float32), 0)


def fit_from_disk(task: Task) -> Outcome:
    """The streamed fit, in this process."""
    file = RowFile(task.folder, task.rows, task.size)
    for start, block in made_blocks(task.rows, task.size, task.classes, seed=1):
        file.write(np.arange(start, start + len(block)), block)
    rows, targets = file.rows(), np.arange(task.rows) % task.classes
    watch = _Watch()
    groups = [str(row) for row in range(task.rows)]
    fit = fit_streamed_probe(
        rows, targets, groups, class_count=task.classes, seed=0, threads=task.threads, on_step=_Telling(watch)
    )
    return _outcome(fit, watch, task)


def fit_in_memory(task: Task) -> Outcome:
    """The fit that `train` makes of what memory holds, in this process."""
    features = np.concatenate([block for _, block in made_blocks(task.rows, task.size, task.classes, seed=1)])
    targets, groups = np.arange(task.rows) % task.classes, [str(row) for row in range(task.rows)]
    watch = _Watch()
    fit = fit_linear_probe(features, targets, groups, class_count=task.classes, seed=0, threads=task.threads)
    return _outcome(fit, watch, task)


class _Watch:
    """Seconds on the wall and of the processor since it was made."""

    def __init__(self) -> None:
        self._since = time.perf_counter(), _processor_s()

    @property
    def spent(self) -> tuple[float, float]:
        """By now."""
        return time.perf_counter() - self._since[0], _processor_s() - self._since[1]


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class _Telling:
    """Prints each strength, since a fit of many rows takes minutes."""

    watch: _Watch

    def __call__(self, step: HeadStep) -> None:
        said = f"l2 {step.strength:.1e}  log loss {step.cross_entropy:.4f}  accuracy {step.accuracy:.4f}"
        print(f"  {self.watch.spent[0]:6.0f} s  {said}  peak {peak_mb():,.0f} MB", flush=True)


def _outcome(fit: HeadFit, watch: _Watch, task: Task) -> Outcome:
    (seconds, processor_s), peak = watch.spent, peak_mb()
    unseen = np.concatenate([block for _, block in made_blocks(_HELD_OUT, task.size, task.classes, seed=2)])
    probabilities, targets = softmax(fit.head.logits(unseen)), np.arange(_HELD_OUT) % task.classes
    of_unseen = accuracy(probabilities, targets), log_loss(probabilities, targets)
    return Outcome(seconds, processor_s, peak, *of_unseen, fit.l2, len(fit.swept))


def main() -> None:
    """Print what each side took and found, and one JSON object at the end."""
    arguments = _arguments()
    task = Task(arguments.rows, arguments.size, arguments.classes, arguments.threads, arguments.folder)
    print(
        f"{task.rows:,} x {task.size:,}, {task.classes} classes: {task.rows * task.size * 4 / 1e9:.2f} GB of features"
    )
    sides = {DISK: fit_from_disk} | ({MEMORY: fit_in_memory} if arguments.both else {})
    found: dict[str, Outcome] = {}
    for name, fit in sides.items():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:  # peaks are those of a process
            found[name] = own.submit(fit, task).result()
        print(f"{name:<10} {_words(found[name])}", flush=True)
    tell({name: asdict(one) for name, one in found.items()}, arguments, "torch")


def _words(one: Outcome) -> str:
    return (
        f"{one.seconds:,.0f} s, {one.processor_s:,.0f} of the processor, peak {one.peak_mb:,.0f} MB; "
        f"accuracy {one.accuracy:.4f}, log loss {one.log_loss:.4f}; l2 {one.l2:.1e}, the best of {one.strengths}"
    )


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="2,000 rows of 64 features and 10 classes, both ways")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=1280, help="features of a row")
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--folder", type=Path, default=Path("cache"), help="on whose disk the features lie")
    parser.add_argument("--both", action="store_true", help="in memory, too")
    return parse(parser, rows=2000, size=64, classes=10, both=True)


if __name__ == "__main__":
    main()
