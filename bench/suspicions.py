"""What the audit suspects, on labelled folders with defects of our own: flipped labels, and pictures of other folders.

    python -m bench.suspicions DATA... --weights mobilenet_v2.pth

5 % of the labels are flipped, five times; the labels are judged twice as `audit` does, and once as `train` does. Then,
five times, 1 % (at least three) pictures of the other folders are put among those of a folder, and outliers are sought.
"""

import json
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.arguments import data_arguments
from bench.rows import read_rows
from trainer.label_audit import LabelAudit, audit_labels, judge_labels
from trainer.linear_probe import fit_linear_probe
from trainer.outliers import find_outliers
from trainer.training import Training

SEEDS, FLIPS, STRAYS, FEWEST_STRAYS = range(5), 0.05, 0.01, 3


def main() -> None:
    """Print two lines a data set, and one JSON object at the end."""
    arguments = data_arguments(__doc__).parse_args()
    rows = {data.name: read_rows(data, arguments) for data in arguments.data}
    found = {}
    for name, training in rows.items():
        others = np.concatenate([other.values for key, other in rows.items() if key != name] or [training.values])
        found[name] = _flipped(training, arguments.threads) | (_strays(training, others) if len(rows) > 1 else {})
        print(f"{name:<24} {json.dumps(found[name])}", flush=True)
    print(json.dumps({"weights": str(arguments.weights or arguments.backbone), "results": found}))


def _flipped(training: Training, threads: int) -> dict[str, object]:
    clean = _audit(training, training.targets, threads)
    twice, once = [], []
    for seed in SEEDS:
        targets, flipped = _flip(training, np.random.default_rng(seed))
        twice.append(_counted(_audit(training, targets, threads), flipped))
        fit = fit_linear_probe(
            training.values, targets, training.groups, class_count=len(training.labels), seed=0, threads=threads
        )
        once.append(_counted(judge_labels(fit.out_of_fold_logits, targets, training.groups), flipped))
    return {
        "agreement": round(clean.agreement or 0.0, 3),
        "suspected_without_flips": len(clean.errors),
        "two_looks": _shares(twice),
        "one_look": _shares(once),
    }


def _audit(training: Training, targets: NDArray[np.int64], threads: int) -> LabelAudit:
    return audit_labels(training.values, targets, training.groups, seed=0, threads=threads)


def _flip(training: Training, random: np.random.Generator) -> tuple[NDArray[np.int64], set[int]]:
    targets, classes = training.targets.copy(), len(training.labels)
    rows = random.choice(len(targets), round(FLIPS * len(targets)), replace=False)
    targets[rows] = (targets[rows] + random.integers(1, classes, len(rows))) % classes
    return targets, set(rows.tolist())


def _strays(training: Training, others: NDArray[np.float32]) -> dict[str, object]:
    count = max(FEWEST_STRAYS, round(STRAYS * len(training.samples)))
    planted = set(range(len(training.samples), len(training.samples) + count))
    results = []
    for seed in SEEDS:
        chosen = np.random.default_rng(seed).choice(len(others), count, replace=False)
        features = np.concatenate([training.values, others[chosen]])
        groups = [*training.groups, *(f"{number:064x}" for number in range(count))]
        results.append(_hits({outlier.row for outlier in find_outliers(features, groups)}, planted))
    return {"strays": _shares(results), "outliers_without": len(find_outliers(training.features, training.groups))}


def _counted(audit: LabelAudit, flipped: Collection[int]) -> tuple[int, int, int]:
    return _hits({error.row for error in audit.errors}, flipped)


def _hits(found: set[int], planted: Collection[int]) -> tuple[int, int, int]:
    """How many were planted, found, and found rightly."""
    return len(planted), len(found), len(found & set(planted))


def _shares(results: Sequence[tuple[int, int, int]]) -> dict[str, float]:
    planted, found, right = np.array(results).sum(axis=0).tolist()
    return {"found": round(right / planted, 3), "right": round(right / max(found, 1), 3), "named": found / len(results)}


if __name__ == "__main__":
    main()
