"""The linear probe: multinomial logistic regression on frozen features, its L2 strength chosen by cross-validation."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.folds import FOLDS, draw_folds
from trainer.head import Head, HeadFit
from trainer.learned_rows import LearnedRows, learned_rows
from trainer.live_metrics import HeadStep

if TYPE_CHECKING:
    from trainer.sweep import Swept

FIXED_STRENGTH = 0.1
"""Used where there are too few groups to choose: near the best on small sets of photographs, never far from it."""


def fit_linear_probe(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    class_count: int,
    seed: int,
    threads: int,
    l2: float | None = None,
    near: Head | None = None,
    folds: int = FOLDS,
    views: NDArray[np.float32] | None = None,
    balance: bool = False,
    is_compared: bool = False,
    on_step: Callable[[HeadStep], None] | None = None,
) -> HeadFit:
    """Fit a multinomial logistic regression on standardised features.

    The objective is the mean log loss + l2 / 2 * |weight|^2 with the bias unpenalised. Equal inputs in an equal order
    with an equal number of threads give equal bits on one kind of CPU.

    Args:
        features: shape (N, D), rows in a canonical order.
        targets: shape (N,), class indices in [0, class_count), each of them present.
        groups: N group ids; rows of one group are never in two folds.
        class_count: K, at least 2.
        seed: of the folds.
        threads: CPU threads of the solver.
        l2: a strength that is already known; nothing is then swept, and there are no folds.
        near: with `l2`, a head that was fitted with it on much the same rows; the fit starts there, and ends where it
            would without.
        folds: wanted number; a class with fewer groups lowers it, and below 2 a fixed strength is used.
        views: shape (V, N, D), of augmented views. They are learned from beside the plain rows, each picture weighs as
            much as without them, and they are in its fold; only plain rows are measured.
        balance: every class weighs alike in the loss, however many rows it has.
        is_compared: only what is out of fold counts. Where there are folds the fit on all rows is then left to
            `finish_linear_probe`.
        on_step: told of each strength that is tried.

    Raises:
        ValueError: the lengths differ, a class has no row, a feature is not finite, or l2 is not above 0.
    """
    check_rows(features, targets, groups, class_count)
    if l2 is not None and not l2 > 0:
        raise ValueError(f"l2 = {l2}, expected above 0")
    from trainer.sweep import torch_threads

    rows = learned_rows(features, targets, class_count=class_count, views=views, balance=balance)
    drawn = draw_folds(targets, groups, folds, seed, is_known=l2 is not None)
    with torch_threads(threads):
        swept = _swept(rows, drawn.of_rows, class_count, on_step) if drawn.of_rows is not None else None
        strength = swept.l2 if swept else l2 or FIXED_STRENGTH
        start = _start(rows, swept, near)
        is_whole = swept is None or not is_compared
        parameters = _fitted(rows, strength, class_count, start=start) if is_whole or start is None else start
    return HeadFit(
        head=_head(parameters, rows),
        l2=strength,
        swept=swept.losses if swept else (),
        out_of_fold_logits=swept.logits if swept else np.zeros((0, class_count), np.float32),
        folds=drawn.count,
        note=drawn.note("the strength", used=FIXED_STRENGTH),
        is_whole=is_whole,
    )


def finish_linear_probe(
    fit: HeadFit,
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    threads: int,
    views: NDArray[np.float32] | None = None,
    balance: bool = False,
) -> HeadFit:
    """The fit on all rows of one that was only compared, bit for bit as if it had been made at once.

    Args:
        fit: by `fit_linear_probe` with `is_compared`.
        features, targets, threads, views, balance: as they were then.
    """
    from trainer.sweep import torch_threads

    class_count = len(fit.head.bias)
    rows = learned_rows(features, targets, class_count=class_count, views=views, balance=balance)
    start = np.ascontiguousarray(np.concatenate([fit.head.weight, fit.head.bias[None]]).T)
    with torch_threads(threads):
        parameters = _fitted(rows, fit.l2, class_count, start=start)
    return replace(fit, head=_head(parameters, rows), is_whole=True)


def _head(parameters: NDArray[np.float32], rows: LearnedRows) -> Head:
    weight, bias = np.ascontiguousarray(parameters[:, :-1].T), np.ascontiguousarray(parameters[:, -1])
    return Head(weight, bias, rows.mean, rows.std)


def _swept(
    rows: LearnedRows, fold_of: NDArray[np.int64], class_count: int, on_step: Callable[[HeadStep], None] | None
) -> "Swept":
    from trainer.sweep import sweep

    return sweep(
        rows.features,
        rows.targets,
        rows.repeated(fold_of),
        scale=rows.std,
        class_count=class_count,
        weights=rows.weights,
        plain=rows.plain,
        on_step=on_step,
    )


def _start(rows: LearnedRows, swept: "Swept | None", near: Head | None) -> NDArray[np.float32] | None:
    """Where the fit on all rows starts, shape (K, D + 1): at the folds' mean, or at a head of other rows."""
    if swept is not None or near is None:
        return swept.parameters if swept else None
    return carried_over(near, rows.mean, rows.std)


def carried_over(head: Head, mean: NDArray[np.float32], std: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights and bias, shape (K, D + 1), that say of features standardised in this way what the head says of them.

    Args:
        head: a linear one.
        mean, std: others than the head's own, shape (D,).
    """
    weight = head.weight * (std / head.std)[:, None]
    bias = head.bias + ((mean - head.mean) / head.std) @ head.weight
    return np.ascontiguousarray(np.concatenate([weight, bias[None]]).T)


def _fitted(
    rows: LearnedRows, l2: float, class_count: int, *, start: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    from trainer.sweep import fit_one

    return fit_one(rows.features, rows.targets, l2=l2, class_count=class_count, weights=rows.weights, start=start)


def check_rows(
    features: NDArray[np.float32], targets: NDArray[np.int64], groups: Sequence[str], class_count: int
) -> None:
    """Refuse rows that no head can be fitted on.

    Raises:
        ValueError: the lengths differ, a class has no row, or a feature is not finite.
    """
    if not len(features) == len(targets) == len(groups):
        raise ValueError(f"{len(features)} rows of features, {len(targets)} targets, {len(groups)} groups")
    if class_count < 2 or set(np.unique(targets).tolist()) != set(range(class_count)):
        raise ValueError(
            f"classes {sorted(set(targets.tolist()))} among the rows, expected all of 0 to {class_count - 1}"
        )
    if not np.isfinite(features).all():
        raise ValueError("a feature is not a finite number")
