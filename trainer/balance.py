"""What weighing all labels alike gains, and what it costs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.calibration import calibration_error, cross_fitted, fit_temperature
from trainer.fitting import FitOptions, fit_head
from trainer.head import HeadFit
from trainer.learned_rows import learned_rows
from trainer.metrics import accuracy, log_loss, macro_accuracy, softmax
from trainer.recipe import FeatureRows, RowsToFit
from trainer.rows_on_disk import RowsOnDisk
from trainer.split import make_folds


@dataclass(frozen=True)
class BalanceNumbers:
    """Out of fold: accuracy and macro accuracy in [0, 1], log loss in nats, calibration error in [0, 1]."""

    accuracy: float
    macro_accuracy: float
    log_loss: float
    calibration_error: float


@dataclass(frozen=True)
class BalanceEffect:
    """The same head on the same folds, with every picture weighing alike and with every label weighing alike.

    Attributes:
        pictures: each picture weighs alike.
        labels: each label weighs alike, as with `--balance`.
        balanced: which of the two was taken.
    """

    pictures: BalanceNumbers
    labels: BalanceNumbers
    balanced: bool

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure_balance(
    fit: HeadFit, rows: RowsToFit, targets: NDArray[np.int64], groups: Sequence[str], options: FitOptions
) -> BalanceEffect | None:
    """Fit the other way at the strength or for the epochs that were chosen, on the folds that chose them.

    Args:
        fit: of any kind, fitted by the options.
        rows, targets, groups, options: that it was fitted with.

    Returns:
        None without folds, and where all labels have equally many pictures.
    """
    counts = np.bincount(targets)
    if not fit.folds or counts.min() == counts.max():
        return None
    other = _the_other_way(fit, rows, targets, groups, replace(options, balance=not options.balance))
    mine, others = (_numbers(logits, targets, groups) for logits in (fit.out_of_fold_logits, other))
    pictures, labels = (others, mine) if options.balance else (mine, others)
    return BalanceEffect(pictures, labels, balanced=options.balance)


def _the_other_way(
    fit: HeadFit, rows: RowsToFit, targets: NDArray[np.int64], groups: Sequence[str], options: FitOptions
) -> NDArray[np.float32]:
    """Logits, shape (N, K), out of fold."""
    if not isinstance(rows, RowsOnDisk):
        return _out_of_fold(fit, rows, targets, groups, options)
    from trainer.streamed_probe import streamed_fold_logits

    return streamed_fold_logits(
        rows,
        targets,
        make_folds(targets, groups, fit.folds, options.seed),
        l2=fit.l2,
        near=fit.head,
        class_count=options.class_count,
        threads=options.threads,
        balance=options.balance,
    )


def _out_of_fold(
    fit: HeadFit, rows: FeatureRows, targets: NDArray[np.int64], groups: Sequence[str], options: FitOptions
) -> NDArray[np.float32]:
    """Logits of the plain rows, shape (N, K), under heads like `fit` that are fitted by these options."""
    if fit.kind == "blend":
        parts = [_out_of_fold(part, rows, targets, groups, options) for part in fit.parts]
        one, other = (logits / fit_temperature(logits, targets) for logits in parts)
        return np.asarray((one + other) / 2, dtype=np.float32)
    fold_of = make_folds(targets, groups, fit.folds, options.seed)
    if fit.kind == "probe":
        return _of_probes(fit, rows, targets, fold_of, options)
    logits = np.zeros((len(targets), options.class_count), np.float32)
    for fold in range(fit.folds):
        held, seen = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        of_seen = [groups[row] for row in seen.tolist()]
        alike = fit_head(fit.kind, rows.take(seen), targets[seen], of_seen, options.for_rows(seen), like=fit)
        logits[held] = alike.head.logits(rows.plain[held])
    return logits


def _of_probes(
    fit: HeadFit,
    rows: FeatureRows,
    targets: NDArray[np.int64],
    fold_of: NDArray[np.int64],
    options: FitOptions,
) -> NDArray[np.float32]:
    """All folds at once, from the head that is there."""
    from trainer.sweep import fit_folds, torch_threads

    learned = learned_rows(
        rows.plain, targets, class_count=options.class_count, views=rows.views, balance=options.balance
    )
    start = np.concatenate([fit.head.weight, fit.head.bias[None]]).T
    with torch_threads(options.threads):
        return fit_folds(
            learned.features,
            learned.targets,
            learned.repeated(fold_of),
            l2=fit.l2,
            scale=learned.std,
            class_count=options.class_count,
            weights=learned.weights,
            plain=learned.plain,
            start=np.ascontiguousarray(start),
        )


def _numbers(logits: NDArray[np.float32], targets: NDArray[np.int64], groups: Sequence[str]) -> BalanceNumbers:
    """As `measure_calibration`: the calibration error is that of temperatures chosen without the rows they are for."""
    probabilities = softmax(logits / fit_temperature(logits, targets))
    return BalanceNumbers(
        accuracy(probabilities, targets),
        macro_accuracy(probabilities, targets),
        log_loss(probabilities, targets),
        calibration_error(cross_fitted(logits, targets, groups), targets),
    )
