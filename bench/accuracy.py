"""Accuracy of the default probe on labelled folders: mean over 5 folds x 5 seeds with its 95 % interval.

    python -m bench.accuracy DATA... --weights mobilenet_v2.pth

Everything is the trainer's own: manifest, audit, graph, features, groups, folds, head. The L2 strength is chosen
inside each outer fold, and exact and near duplicates never straddle folds.
"""

import json
import time

from bench.arguments import data_arguments
from bench.rows import read_rows
from trainer.backbones import choose_backbone
from trainer.cross_validation import cross_validate


def main() -> None:
    """Print one line a data set, and one JSON object at the end."""
    arguments = data_arguments(__doc__).parse_args()
    entry, reason = choose_backbone(arguments.backbone, arguments.weights)
    print(reason)
    found = {}
    for data in arguments.data:
        started = time.perf_counter()
        rows = read_rows(data, arguments)
        result = cross_validate(
            rows.values, rows.targets, rows.groups, rows.labels, folds=5, seeds=range(5), threads=arguments.threads
        )
        (low, high), mean, n = result.accuracy.interval, result.accuracy.mean, len(rows.samples)
        seconds = time.perf_counter() - started
        print(f"{data.name:<24} {mean:.4f}  [{low:.4f}, {high:.4f}]  n {n:>5}  {seconds:6.1f} s", flush=True)
        found[data.name] = {"accuracy": mean, "interval": [low, high], "n": n}
    print(json.dumps({"backbone": entry.name, "results": found}))


if __name__ == "__main__":
    main()
