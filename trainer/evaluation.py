"""Everything that is measured on one labelled set of pictures, as one value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer import metrics
from trainer.calibration import calibration_error, perfect_calibration_error
from trainer.intervals import Interval, grouped_interval
from trainer.jackknife import macro_intervals
from trainer.two_classes import BinaryEvaluation, evaluate_two

TOP_K = (1, 2, 3, 5, 10)


@dataclass(frozen=True)
class ClassEvaluation:
    """One label's share of the numbers.

    Attributes:
        label: the class name.
        n: its samples.
        predicted: how many samples were predicted to be of it.
        accuracy: share of its samples that were recognised (recall), in [0, 1]; None without samples.
        accuracy_interval: 95 % interval of it, see `grouped_interval`; None without samples.
        precision: share of those predicted to be of it that are, in [0, 1]; None when there are none.
        precision_interval: 95 % interval of it, see `grouped_interval`; None when there are none.
        f1: see `per_class_f1`; None without samples and predictions.
        log_loss: mean over its samples, in nats; None without samples.
    """

    label: str
    n: int
    predicted: int
    accuracy: float | None
    accuracy_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    f1: float | None
    log_loss: float | None


@dataclass(frozen=True)
class Evaluation:
    """How good predictions are on n labelled samples, by ML.NET's definitions (see trainer/metrics.py).

    Attributes:
        n: samples.
        groups: of copies or of `--group-by` that they are in; n where each stands for itself.
        labels: K class names, in the order of class indices.
        accuracy: share of samples right, in [0, 1].
        accuracy_interval: 95 % interval of it, see `grouped_interval`.
        macro_accuracy: mean of the per-class accuracies, over classes with a sample.
        macro_accuracy_interval: 95 % interval of it, see `macro_intervals`; so of the other numbers that are no
            share.
        macro_f1: mean of the per-class F1.
        macro_f1_interval: 95 % interval of it.
        weighted_f1: mean of the per-class F1, weighted by the samples of each class.
        log_loss: in nats.
        log_loss_interval: 95 % interval of it.
        log_loss_reduction: 1 is perfect, 0 is guessing by label frequency, below 0 is worse; None for a single label.
        calibration_error: of the scores, see `calibration_error`.
        perfect_calibration_error: what a model with true scores would show on as many samples in such groups, on
            average.
        binary: what is asked of two labels only; None for more.
        per_class: one for each label.
        top_k: accuracy when any of the k most probable labels counts, for those k of 1, 2, 3, 5, 10 that are below K.
        top_k_for_all_k: the same for each k from 1 to K, shape (K,).
        confusion: K rows of K counts; row = actual label, column = predicted label.
    """

    n: int
    groups: int
    labels: tuple[str, ...]
    accuracy: float
    accuracy_interval: Interval
    macro_accuracy: float
    macro_accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    weighted_f1: float
    log_loss: float
    log_loss_interval: Interval
    log_loss_reduction: float | None
    calibration_error: float
    perfect_calibration_error: float
    binary: BinaryEvaluation | None
    per_class: tuple[ClassEvaluation, ...]
    top_k: dict[int, float]
    top_k_for_all_k: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def untested(self) -> tuple[str, ...]:
        """Labels without a sample: the numbers say nothing about them."""
        return tuple(one.label for one in self.per_class if not one.n)

    def as_json(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes, keys always in the same order; unknown numbers are null."""
        return {
            "n": self.n,
            "groups": self.groups,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_accuracy": self.macro_accuracy,
            "macro_accuracy_interval": list(self.macro_accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "weighted_f1": self.weighted_f1,
            "log_loss": self.log_loss,
            "log_loss_interval": list(self.log_loss_interval),
            "log_loss_reduction": self.log_loss_reduction,
            "calibration_error": self.calibration_error,
            "perfect_calibration_error": self.perfect_calibration_error,
            "binary": self.binary.as_json() if self.binary else None,
            "top_k": {str(k): value for k, value in self.top_k.items()},
            "top_k_for_all_k": list(self.top_k_for_all_k),
            "per_class": [_class_as_json(one) for one in self.per_class],
            "labels": list(self.labels),
            "confusion": [list(row) for row in self.confusion],
        }


def evaluate(
    probabilities: metrics.Probabilities,
    targets: NDArray[np.int64],
    labels: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
) -> Evaluation:
    """Measure predictions.

    Args:
        probabilities: shape (N, K), rows sum to 1.
        targets: shape (N,), class indices in [0, K).
        labels: K class names.
        groups: N group ids; samples of one group are not counted as independent of each other. Each its own, if None.

    Raises:
        ValueError: there is nothing to score, the lengths differ, or a probability is not a number.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        raise ValueError(f"probabilities of shape {probabilities.shape} for {len(labels)} labels")
    if not np.isfinite(probabilities).all():
        raise ValueError("a probability is not a finite number")
    confusion = metrics.confusion_matrix(probabilities, targets)
    right = metrics.predicted_classes(probabilities) == targets
    group = np.arange(len(targets)) if groups is None else np.unique(list(groups), return_inverse=True)[1]
    macro = macro_intervals(probabilities, targets, group)
    top_k = tuple(metrics.top_k_accuracy_for_all_k(probabilities, targets).tolist())
    return Evaluation(
        n=len(targets),
        groups=len(np.unique(group)),
        labels=tuple(labels),
        accuracy=metrics.accuracy(probabilities, targets),
        accuracy_interval=grouped_interval(right, group),
        macro_accuracy=metrics.macro_accuracy(probabilities, targets),
        macro_accuracy_interval=macro.macro_accuracy,
        macro_f1=metrics.macro_f1(probabilities, targets),
        macro_f1_interval=macro.macro_f1,
        weighted_f1=metrics.weighted_f1(probabilities, targets),
        log_loss=metrics.log_loss(probabilities, targets),
        log_loss_interval=macro.log_loss,
        log_loss_reduction=metrics.log_loss_reduction(probabilities, targets),
        calibration_error=calibration_error(probabilities, targets),
        perfect_calibration_error=perfect_calibration_error(probabilities.max(axis=1), group)[0],
        binary=evaluate_two(probabilities, targets, labels),
        per_class=_per_class(probabilities, targets, labels, right, group),
        top_k={k: top_k[k - 1] for k in TOP_K if k == 1 or k < len(labels)},
        top_k_for_all_k=top_k,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def _per_class(
    probabilities: metrics.Probabilities,
    targets: NDArray[np.int64],
    labels: Sequence[str],
    right: NDArray[np.bool_],
    group: NDArray[np.int64],
) -> tuple[ClassEvaluation, ...]:
    predicted = metrics.predicted_classes(probabilities)
    accuracies, f1 = metrics.per_class_accuracy(probabilities, targets), metrics.per_class_f1(probabilities, targets)
    log_losses = metrics.per_class_log_loss(probabilities, targets)
    return tuple(
        ClassEvaluation(
            label=label,
            n=int((targets == k).sum()),
            predicted=int((predicted == k).sum()),
            accuracy=accuracies[k],
            accuracy_interval=_interval_of(targets == k, right, group),
            precision=float(right[predicted == k].mean()) if (predicted == k).any() else None,
            precision_interval=_interval_of(predicted == k, right, group),
            f1=f1[k],
            log_loss=log_losses[k],
        )
        for k, label in enumerate(labels)
    )


def _interval_of(rows: NDArray[np.bool_], right: NDArray[np.bool_], group: NDArray[np.int64]) -> Interval | None:
    return grouped_interval(right[rows], group[rows]) if rows.any() else None


def _class_as_json(one: ClassEvaluation) -> dict[str, Any]:
    return {
        "label": one.label,
        "n": one.n,
        "predicted": one.predicted,
        "accuracy": one.accuracy,
        "accuracy_interval": list(one.accuracy_interval) if one.accuracy_interval else None,
        "precision": one.precision,
        "precision_interval": list(one.precision_interval) if one.precision_interval else None,
        "f1": one.f1,
        "log_loss": one.log_loss,
    }
