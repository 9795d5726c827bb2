"""Numbers for the whole recipe instead of one head: nested cross-validation, repeated over seeds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors.splits import TooFewForFolds
from trainer.evaluation import Evaluation, evaluate
from trainer.fitting import FitOptions
from trainer.fold_mean import FoldMean, mean_over_folds
from trainer.folds import most_folds
from trainer.metrics import accuracy, log_loss, macro_accuracy
from trainer.progress import Progress, Quiet
from trainer.recipe import plain_of
from trainer.recipe_search import Plan, plan_of, search
from trainer.rows import take
from trainer.sgd_options import SgdOptions
from trainer.split import make_folds


@dataclass(frozen=True)
class FoldResult:
    """What the head that was fitted without one fold does on it.

    Attributes:
        seed: of the folds.
        fold: in [0, folds).
        n: samples held out.
        l2: the strength that was chosen without them.
        recipe: the name of the recipe that was chosen without them.
        accuracy: in [0, 1].
        macro_accuracy: in [0, 1].
        log_loss: in nats.
    """

    seed: int
    fold: int
    n: int
    l2: float
    recipe: str
    accuracy: float
    macro_accuracy: float
    log_loss: float


@dataclass(frozen=True)
class HeldOut:
    """One fold that was held out.

    Attributes:
        result: what was measured on it.
        rows: numbers of its rows.
        probabilities: shape (len(rows), K), of the head that had not seen them.
    """

    result: FoldResult
    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class CrossValidation:
    """Nested cross-validation: in every outer fold all is chosen again, by folds inside the training rows.

    Attributes:
        labels: K class names.
        folds: of each seed; fewer than asked for when a class has fewer groups.
        results: one per seed and fold.
        pooled: for each seed, the held-out predictions of all samples, measured together.
        accuracy: in [0, 1].
        macro_accuracy: in [0, 1].
        log_loss: in nats.
    """

    labels: tuple[str, ...]
    folds: int
    results: tuple[FoldResult, ...]
    pooled: tuple[Evaluation, ...]
    accuracy: FoldMean
    macro_accuracy: FoldMean
    log_loss: FoldMean

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """Counts of held-out predictions over all seeds: row = actual label, column = predicted label."""
        total = np.sum([one.confusion for one in self.pooled], axis=0)
        return tuple(tuple(row) for row in total.tolist())

    def as_json(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes, keys always in the same order."""
        numbers = {name: getattr(self, name) for name in ("accuracy", "macro_accuracy", "log_loss")}
        return {
            "folds": self.folds,
            "seeds": sorted({result.seed for result in self.results}),
            **{name: number.mean for name, number in numbers.items()},
            **{f"{name}_interval": list(number.interval) for name, number in numbers.items()},
            "results": [asdict(result) for result in self.results],
            "labels": list(self.labels),
            "confusion": [list(row) for row in self.confusion],
        }


def cross_validate(
    features: NDArray[np.float32] | Plan,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    folds: int,
    seeds: Sequence[int],
    threads: int,
    balance: bool = False,
    sgd: SgdOptions | None = None,
    validation: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> CrossValidation:
    """Hold out each fold once per seed, choose recipe and head on the rest, and measure them on the fold.

    Args:
        features: shape (N, D), rows in a canonical order, for the default probe; or the recipes among which is chosen.
        targets: shape (N,), class indices in [0, K).
        groups: N group ids; rows of one group are never in two folds.
        labels: K class names.
        folds: at least 2; a class with fewer groups lowers it.
        seeds: at least one; each makes other folds.
        threads: CPU threads of the solver.
        balance: every class weighs alike in the fits.
        sgd: how an SGD head descends.
        validation: numbers of the rows of the validation split.
        progress: shows the folds as they are done.

    Raises:
        TooFewForFolds: the groups of a class are too few, so it cannot be both trained on and held out.
        ValueError: fewer than 2 folds, or no seed.
    """
    possible = possible_folds(targets, groups, labels, folds=folds, seeds=seeds)
    plan = features if isinstance(features, Plan) else plan_of(features)
    results: list[FoldResult] = []
    pooled: list[Evaluation] = []
    with (progress or Quiet()).phase("cross-validate", total=len(seeds) * possible) as phase:
        for seed in seeds:
            options = FitOptions(len(labels), seed, threads, balance, sgd or SgdOptions(), validation)
            fold_of = make_folds(targets, groups, possible, seed)
            probabilities = np.zeros((len(targets), len(labels)))
            for fold in range(possible):
                held = hold_out(plan, targets, groups, fold_of, fold, options)
                probabilities[held.rows] = held.probabilities
                results.append(held.result)
                phase.advance()
            pooled.append(evaluate(probabilities, targets, labels, groups=groups))
    return CrossValidation(
        labels=tuple(labels),
        folds=possible,
        results=tuple(results),
        pooled=tuple(pooled),
        accuracy=mean_over_folds(
            [result.accuracy for result in results], folds=possible, pooled=[one.accuracy_interval for one in pooled]
        ),
        macro_accuracy=mean_over_folds(
            [result.macro_accuracy for result in results],
            folds=possible,
            pooled=[one.macro_accuracy_interval for one in pooled],
        ),
        log_loss=mean_over_folds(
            [result.log_loss for result in results],
            folds=possible,
            pooled=[one.log_loss_interval for one in pooled],
            most=np.inf,
        ),
    )


def possible_folds(
    targets: NDArray[np.int64], groups: Sequence[str], labels: Sequence[str], *, folds: int, seeds: Sequence[int]
) -> int:
    """How many folds there will be, at least 2 and at most `folds`; arguments and errors as of `cross_validate`."""
    if folds < 2 or not seeds:
        raise ValueError(f"{folds} folds and {len(seeds)} seeds, expected at least 2 and 1")
    possible = most_folds(targets, groups, folds, seeds)
    if possible < 2:
        raise TooFewForFolds(*_label_with_fewest_groups(targets, groups, labels))
    return possible


def hold_out(
    plan: Plan,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    fold_of: NDArray[np.int64],
    fold: int,
    options: FitOptions,
) -> HeldOut:
    """Choose recipe and head without one fold, and measure them on it.

    Args:
        plan: the recipes among which is chosen.
        targets, groups: of all N rows.
        fold_of: shape (N,), the fold of each row.
        fold: that is held out.
        options: of the fits.
    """
    held = np.flatnonzero(fold_of == fold)
    searched = search(plan, np.flatnonzero(fold_of != fold), targets, groups, options)
    features = take(plain_of(plan.rows_of(searched.recipe)), held)
    probabilities = np.asarray(searched.fit.probabilities(features), np.float64)
    result = FoldResult(
        seed=options.seed,
        fold=fold,
        n=len(held),
        l2=searched.fit.l2,
        recipe=searched.name,
        accuracy=accuracy(probabilities, targets[held]),
        macro_accuracy=macro_accuracy(probabilities, targets[held]),
        log_loss=log_loss(probabilities, targets[held]),
    )
    return HeldOut(result, held, probabilities)


def _label_with_fewest_groups(
    targets: NDArray[np.int64], groups: Sequence[str], labels: Sequence[str]
) -> tuple[str, int]:
    pairs = set(zip(targets.tolist(), groups, strict=True))
    counts = Counter(target for target, _ in pairs)
    fewest = min(range(len(labels)), key=counts.__getitem__)
    return labels[fewest], counts[fewest]
