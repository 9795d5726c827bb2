"""The int8 form of a recipe beside its float32 form: who is right on the pictures that selection may see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.counting import counted
from trainer.intervals import Interval
from trainer.paired_intervals import paired_interval
from trainer.parity import relative_differences
from trainer.recipe import plain_of
from trainer.recipe_search import Plan
from trainer.rows import Rows, blocks, gather
from trainer.training import Measured, Training


@dataclass(frozen=True)
class Int8Comparison:
    """The int8 form of a recipe beside its float32 form, out of fold, on the same folds.

    Attributes:
        accuracy, accuracy_float32: in [0, 1].
        difference: in accuracy, int8 less float32, paired by picture.
        difference_interval: of 95 %, by groups; see `paired_interval`.
        log_loss, log_loss_float32: in nats.
        features_differ_by: median over the pictures of the relative norm of the features' difference.
        n, groups: pictures that were compared on, and groups of them.
    """

    accuracy: float
    accuracy_float32: float
    difference: float
    difference_interval: Interval
    log_loss: float
    log_loss_float32: float
    features_differ_by: float
    n: int
    groups: int


def compare_int8(training: Training, plan: Plan, measured: Measured, in_int8: Measured) -> Int8Comparison | None:
    """None where there are no folds."""
    before, after = measured.cross_validated, in_int8.cross_validated
    if before is None or after is None:
        return None
    targets = training.targets[training.rows("train", "validation")]
    before_right, after_right = (_right(one, targets) for one in (measured, in_int8))
    groups = groups_of_selection(training)
    before_rows, after_rows = (plain_of(plan.rows_of(one.searched.recipe)) for one in (measured, in_int8))
    return Int8Comparison(
        accuracy=after.accuracy,
        accuracy_float32=before.accuracy,
        difference=float(after_right.mean() - before_right.mean()),
        difference_interval=paired_interval(before_right, after_right, groups),
        log_loss=after.log_loss,
        log_loss_float32=before.log_loss,
        features_differ_by=float(np.median(_differences(before_rows, after_rows))),
        n=len(targets),
        groups=len(set(groups)),
    )


def _differences(features: Rows, others: Rows) -> NDArray[np.float64]:
    """`relative_differences` of features (N, D) from others of the same shape, wherever they lie."""
    return np.concatenate(
        [  # blocks of two files need not end with the same row
            relative_differences(block, gather(others, np.arange(start, start + len(block))))
            for start, block in blocks(features)
        ]
    )


def groups_of_selection(training: Training) -> list[str]:
    """Of the pictures that selection may see."""
    return [training.groups[row] for row in training.rows("train", "validation").tolist()]


def _right(measured: Measured, targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pictures were told right out of fold, shape (N,)."""
    right: NDArray[np.bool_] = np.equal(measured.fit.out_of_fold_logits.argmax(1), targets)
    return right


def accuracy_in_words(comparison: Int8Comparison | None) -> str:
    """The difference with its interval, and what it rests on."""
    if comparison is None:
        return "accuracy that too few pictures leave unmeasured"
    low, high = (100 * bound for bound in comparison.difference_interval)
    return (
        f"{100 * comparison.difference:+.1f} points of cross-validated accuracy "
        f"(95 % interval {low:+.1f} to {high:+.1f}, {counted(comparison.n, 'picture')})"
    )
