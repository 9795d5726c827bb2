"""The linear probe: multinomial logistic regression on frozen features, its L2 strength chosen by cross-validation."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.folds import fewest_groups
from trainer.head import Head, HeadFit
from trainer.live_metrics import HeadStep
from trainer.split import make_folds
from trainer.standardise import standardisation

FOLDS = 5

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
    folds: int = FOLDS,
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
        folds: wanted number; a class with fewer groups lowers it, and below 2 a fixed strength is used.
        on_step: told of each strength that is tried.

    Raises:
        ValueError: the lengths differ, a class has no row, a feature is not finite, or l2 is not above 0.
    """
    _check(features, targets, groups, class_count, l2)
    from trainer.sweep import fit_one, sweep, torch_threads

    mean, std = standardisation(features)
    standardised = (features - mean) / std
    possible = min(folds, fewest_groups(targets, groups))
    swept = None
    with torch_threads(threads):
        if l2 is None and possible >= 2:
            fold_of = make_folds(targets, groups, possible, seed)
            swept = sweep(standardised, targets, fold_of, scale=std, class_count=class_count, on_step=on_step)
        strength = swept.l2 if swept else l2 or FIXED_STRENGTH
        start = swept.parameters if swept else None
        parameters = fit_one(standardised, targets, l2=strength, class_count=class_count, start=start)
    weight, bias = np.ascontiguousarray(parameters[:, :-1].T), np.ascontiguousarray(parameters[:, -1])
    return HeadFit(
        head=Head(weight, bias, mean, std),
        l2=strength,
        swept=swept.losses if swept else (),
        out_of_fold_logits=swept.logits if swept else np.zeros((0, class_count), np.float32),
        folds=possible if swept else 0,
        note="" if l2 is not None else _note(possible, wanted=folds),
    )


def _check(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    class_count: int,
    l2: float | None,
) -> None:
    if not len(features) == len(targets) == len(groups):
        raise ValueError(f"{len(features)} rows of features, {len(targets)} targets, {len(groups)} groups")
    if class_count < 2 or set(np.unique(targets).tolist()) != set(range(class_count)):
        raise ValueError(
            f"classes {sorted(set(targets.tolist()))} among the rows, expected all of 0 to {class_count - 1}"
        )
    if not np.isfinite(features).all():
        raise ValueError("a feature is not a finite number")
    if l2 is not None and not l2 > 0:
        raise ValueError(f"l2 = {l2}, expected above 0")


def _note(possible: int, *, wanted: int) -> str:
    if possible < 2:
        return (
            f"A class has only one group of pictures, so the strength could not be chosen by cross-validation; "
            f"{FIXED_STRENGTH:g} was used. Add pictures of the small classes."
        )
    if possible < wanted:
        return f"{possible} folds instead of {wanted}, because a class has only {possible} groups of pictures."
    return ""
