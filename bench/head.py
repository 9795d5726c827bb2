"""The head alone: our sweep of strengths against scikit-learn's LogisticRegressionCV, on the same rows and folds.

    python -m bench.head                                   5,000 x 1,280 made features of 10 classes
    python -m bench.head DATA --weights mobilenet_v2.pth   the features of labelled pictures

Both try the same strengths on the same five folds, take the one with the lowest log loss on them and fit it on all
rows; then a fifth of the rows that neither has seen is predicted. scikit-learn as its documentation advises: features
on one scale (StandardScaler), lbfgs, its default for several classes; once with the folds side by side (`n_jobs`), once
one after the other with as many threads in each product. Its strengths are ours in its units, C = 1 / (rows of four
folds x l2).
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.arguments import parse, tell, told_arguments
from bench.process_tree import processor_s, tree
from bench.spread import ratios, spread, turns
from shared.cores import usable_cores
from trainer.folds import FOLDS
from trainer.linear_probe import fit_linear_probe
from trainer.metrics import accuracy, log_loss, softmax
from trainer.split import make_folds

OURS, SIDE_BY_SIDE, IN_TURN = "Finial", "scikit-learn, n_jobs", "scikit-learn, threads"
_COMMON, _OWN = 64, 0.6  # directions that all classes share, and how far classes are apart along their own


@dataclass(frozen=True)
class Rows:
    """Learned rows with their folds, and rows to measure on."""

    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    groups: list[str]
    test: NDArray[np.float32]
    test_targets: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """One fit: seconds on the wall and of the processor, and what it says of the rows that were held out."""

    seconds: float
    processor_s: float
    accuracy: float
    log_loss: float
    l2: float


def made_rows(count: int, size: int, classes: int, seed: int = 0) -> Rows:
    """Rectified features, correlated as those of a backbone are: (count, size) learned, a quarter as many held out."""
    random = np.random.default_rng(seed)
    total = count + count // 4
    targets = np.arange(total) % classes
    mixing = random.normal(size=(_COMMON, size)) / np.sqrt(_COMMON)
    centres = random.normal(0, _OWN, (classes, _COMMON))
    features = (random.normal(size=(total, _COMMON)) + centres[targets]) @ mixing + random.normal(size=(total, size))
    rows = np.maximum(features, 0).astype(np.float32)
    return Rows(rows[:count], targets[:count], [str(row) for row in range(count)], rows[count:], targets[count:])


def read(data: Path, arguments: argparse.Namespace) -> Rows:
    """The features of labelled pictures; a fifth of the groups is held out."""
    from bench.rows import read_rows

    found = read_rows(data, arguments)
    held = make_folds(found.targets, found.groups, 5, 0) == 0
    groups = [found.groups[row] for row in np.flatnonzero(~held).tolist()]
    return Rows(found.values[~held], found.targets[~held], groups, found.values[held], found.targets[held])


def fit_ours(rows: Rows, threads: int) -> tuple[Outcome, list[float]]:
    """Our sweep and final fit, and the strengths that it tried."""
    classes, watch = int(rows.targets.max()) + 1, _Watch()
    fit = fit_linear_probe(rows.features, rows.targets, rows.groups, class_count=classes, seed=0, threads=threads)
    spent = watch.spent
    return _outcome(spent, softmax(fit.head.logits(rows.test)), rows, fit.l2), [l2 for l2, _ in fit.swept]


def fit_theirs(rows: Rows, threads: int, strengths: list[float], *, side_by_side: bool) -> Outcome:
    """LogisticRegressionCV on the same folds with the same strengths."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import PredefinedSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    per_c = len(rows.targets) * (FOLDS - 1) / FOLDS
    model = LogisticRegressionCV(
        Cs=[1 / (per_c * l2) for l2 in strengths],
        cv=PredefinedSplit(make_folds(rows.targets, rows.groups, FOLDS, 0)),
        l1_ratios=(0,),
        scoring="neg_log_loss",
        max_iter=1000,
        n_jobs=threads if side_by_side else 1,
        use_legacy_attributes=False,
    )
    with threadpool_limits(1 if side_by_side else threads):
        watch = _Watch()
        fitted = make_pipeline(StandardScaler(), model).fit(rows.features, rows.targets)
        spent = watch.spent
        probabilities = fitted.predict_proba(rows.test)
    return _outcome(spent, probabilities, rows, 1 / (per_c * float(model.C_)))


class _Watch:
    """Seconds on the wall and of the processor since it was made; processes that compute for us are counted in."""

    def __init__(self) -> None:
        self._since = self._now

    @property
    def spent(self) -> tuple[float, float]:
        """By now."""
        since, now = self._since, self._now
        return now[0] - since[0], now[1] - since[1]

    @property
    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), processor_s(tree(os.getpid()))


def _outcome(spent: tuple[float, float], probabilities: NDArray[Any], rows: Rows, l2: float) -> Outcome:
    targets = rows.test_targets
    return Outcome(*spent, accuracy(probabilities, targets), log_loss(probabilities, targets), l2)


def main() -> None:
    """Print a line for each fit, the medians, and one JSON object at the end."""
    arguments = _arguments()
    rows = read(arguments.data, arguments) if arguments.data else made_rows(arguments.rows, 1280, 10)
    print(f"{len(rows.features):,} x {rows.features.shape[1]:,}, {rows.targets.max() + 1} classes, {FOLDS} folds")
    threads = arguments.threads
    _, strengths = fit_ours(rows, threads)  # not counted: torch is imported in it
    few = made_rows(100, 8, 3)
    for side_by_side in (True, False):  # nor what scikit-learn imports, nor the start of its processes
        fit_theirs(few, threads, strengths[:2], side_by_side=side_by_side)
    contenders: dict[str, Callable[[], Outcome]] = {
        OURS: lambda: fit_ours(rows, threads)[0],
        SIDE_BY_SIDE: lambda: fit_theirs(rows, threads, strengths, side_by_side=True),
    }
    if not arguments.side_by_side_only:
        contenders[IN_TURN] = lambda: fit_theirs(rows, threads, strengths, side_by_side=False)
    found: dict[str, list[Outcome]] = {name: [] for name in contenders}
    for order in turns(list(contenders), arguments.rounds):
        for name in order:
            found[name].append(contenders[name]())
            print(f"{name:<22} {_words(found[name][-1])}", flush=True)
    _report(found, strengths)
    fits = {name: [vars(one) for one in outcomes] for name, outcomes in found.items()}
    tell({"strengths": strengths, "fits": fits}, arguments, "torch", "scikit-learn", "scipy")


def _words(one: Outcome) -> str:
    return (
        f"{one.seconds:7.2f} s, {one.processor_s:7.2f} of the processor  "
        f"accuracy {one.accuracy:.4f}  log loss {one.log_loss:.4f}  l2 {one.l2:.2e}"
    )


def _report(found: dict[str, list[Outcome]], strengths: list[float]) -> None:
    print(f"{len(strengths)} strengths; medians and quartiles over {len(found[OURS])} rounds; x the time of ours:")
    ours, ours_used = _times(found[OURS])
    for name, outcomes in found.items():
        seconds, used = _times(outcomes)
        print(
            f"{name:<22} {spread(seconds):.2f} s, x {ratios(seconds, ours):.1f}; "
            f"{spread(used):.2f} of the processor, x {ratios(used, ours_used):.1f}"
        )


def _times(outcomes: list[Outcome]) -> tuple[list[float], list[float]]:
    return [one.seconds for one in outcomes], [one.processor_s for one in outcomes]


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="one round on 500 rows")
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--backbone")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side-by-side-only", action="store_true", help="scikit-learn in its quicker way alone")
    return parse(parser, rows=500, rounds=1)


if __name__ == "__main__":
    main()
