"""What follows featurising, on made rows on disk, in a process of its own; prints its peak of memory so far in MB.

python -m tests.trainer.road_on_disk FOLDER COUNT...
"""

import sys
from pathlib import Path

import numpy as np

from bench.memory import peak_mb
from trainer import rows_on_disk, some_pictures, streamed_regression
from trainer.final_fit import final_fit, rows_of_final
from trainer.learned_novelty import learn_novelty
from trainer.learning_curve import learning_curve
from trainer.mistakes import NEIGHBOURS
from trainer.neighbours import nearest_of_other_groups
from trainer.outliers import find_outliers
from trainer.rows import gather
from trainer.rows_on_disk import RowFile
from trainer.samples import Sample
from trainer.some_pictures import some_of
from trainer.training import Training, measure

SIZE, CLASSES, AT_ONCE = 1280, 2, 1000
LABELS = ("a", "b")


def make(folder: Path, count: int) -> Training:
    """Rows that overlap, written a few at a time."""
    file = RowFile(folder, count, SIZE)
    for start in range(0, count, AT_ONCE):
        rows = np.random.default_rng(start).normal(size=(AT_ONCE, SIZE)).astype(np.float32)
        rows[::2, :40] += 0.3
        file.write(np.arange(start, start + AT_ONCE), rows)
    targets = np.arange(count) % CLASSES
    samples = tuple(Sample("", "", LABELS[target], f"{row:064}", None) for row, target in enumerate(targets.tolist()))
    splits = ("train", "train", "train", "validation", "test") * (count // 5)
    return Training(samples, LABELS, file.rows(), targets, tuple(sample.digest for sample in samples), splits)


def go(training: Training) -> None:
    """All that reads features."""
    measured = measure(training, seed=0, threads=1)
    final = final_fit(training, measured, "all", seed=0, threads=1)
    learn_novelty(training, rows_of_final(training, measured, final), unfamiliar=0.99, seed=0)
    find_outliers(training.features, training.groups)
    learned = training.rows("train", "validation")
    nearest_of_other_groups(
        training.features, training.groups, of=measured.test_rows[:5], among=learned, count=NEIGHBOURS
    )
    some = some_of(training, learned, seed=0)
    groups = [training.groups[row] for row in some.tolist()]
    learning_curve(
        gather(training.features, some), training.targets[some], groups, class_count=CLASSES, l2=0.1, seed=0, threads=1
    )


def main() -> None:
    """With small bounds, which few rows exceed."""
    rows_on_disk._BLOCK_BYTES = 4 * 1024**2
    streamed_regression._SAMPLED = 300
    some_pictures.MOST_NUMBERS = 1000 * SIZE
    folder, *counts = sys.argv[1:]
    for count in counts:
        (rows := Path(folder, count)).mkdir()
        go(make(rows, int(count)))
        print(peak_mb())  # noqa: T201


if __name__ == "__main__":
    main()
