"""Accuracy of the default probe on labelled folders: mean over 5 folds x 5 seeds with its 95 % interval.

    python -m bench.accuracy DATA... --weights mobilenet_v2.pth

Everything is the trainer's own: manifest, audit, graph, features, groups, folds, head. The L2 strength is chosen
inside each outer fold, and exact and near duplicates never straddle folds.
"""

import time

from bench.arguments import data_arguments
from bench.rows import tell_each
from trainer.cross_validation import cross_validate
from trainer.training import Training


def main() -> None:
    """Print one line a data set, and one JSON object at the end."""
    arguments = data_arguments(__doc__).parse_args()
    tell_each(arguments, lambda rows: measured(rows, threads=arguments.threads))


def measured(rows: Training, *, threads: int) -> tuple[str, object]:
    """Its line, with the seconds that the folds took, and the numbers."""
    started = time.perf_counter()
    result = cross_validate(
        rows.values, rows.targets, rows.groups, rows.labels, folds=5, seeds=range(5), threads=threads
    )
    (low, high), mean, n = result.accuracy.interval, result.accuracy.mean, len(rows.samples)
    line = f"{mean:.4f}  [{low:.4f}, {high:.4f}]  n {n:>5}  {time.perf_counter() - started:6.1f} s"
    return line, {"accuracy": mean, "interval": [low, high], "n": n}


if __name__ == "__main__":
    main()
