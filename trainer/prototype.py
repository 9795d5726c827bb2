"""The prototype head: the nearest class mean, under a covariance that all classes share. For very few pictures."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.calibration import fit_temperature
from trainer.folds import FOLDS, draw_folds
from trainer.head import Head, HeadFit
from trainer.learned_rows import LearnedRows, learned_rows
from trainer.linear_probe import check_rows
from trainer.live_metrics import HeadStep
from trainer.metrics import accuracy, log_loss, softmax
from trainer.recipe import FeatureRows

SHRINKAGES = (1.0, 0.97, 0.9, 0.8, 0.6, 0.4, 0.2, 0.1)
"""Shares of the identity in the covariance. 1: the nearest mean of standardised features, and nothing else."""

FIXED_SHRINKAGE = 0.8
"""Used where there are too few groups to choose."""

_Losses = tuple[tuple[float, float], ...]
_Weights = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weight (D, K) and bias (K,)."""


def fit_prototype(
    rows: FeatureRows,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    class_count: int,
    seed: int,
    threads: int,
    shrinkage: float | None = None,
    folds: int = FOLDS,
    balance: bool = False,
    on_step: Callable[[HeadStep], None] | None = None,
) -> HeadFit:
    """Fit a mean for each class and one covariance of the features around them, standardised and shrunk.

    Scores are those of Gaussian classes with that covariance, which makes the head linear. How much of the identity
    the covariance is mixed with is chosen by the cross-validated, calibrated log loss.

    Args:
        rows, targets, groups, class_count, seed, folds: as of `fit_linear_probe`.
        threads: CPU threads.
        shrinkage: a share that is already known; nothing is then chosen, and there are no folds.
        balance: every class is as probable beforehand as any other, instead of as frequent as among the rows.
        on_step: told of each share that is tried.

    Source: T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning (2009), section 4.3.1.
    """
    check_rows(rows.plain, targets, groups, class_count)
    from trainer.sweep import torch_threads

    drawn = draw_folds(targets, groups, folds, seed, is_known=shrinkage is not None)
    with torch_threads(threads):
        swept, logits, chosen = (
            _choose(rows, targets, drawn.of_rows, class_count, balance=balance, on_step=on_step)
            if drawn.of_rows is not None
            else ((), np.zeros((0, class_count), np.float32), FIXED_SHRINKAGE)
        )
        taken = chosen if shrinkage is None else shrinkage
        learned = learned_rows(rows.plain, targets, class_count=class_count, views=rows.views)
        weight, bias = _prototypes(learned, class_count, (taken,), balance=balance)[0]
    return HeadFit(
        head=Head(weight.astype(np.float32), bias.astype(np.float32), learned.mean, learned.std),
        l2=taken,
        swept=swept,
        out_of_fold_logits=logits,
        folds=drawn.count,
        note=drawn.note("the share of the identity", used=FIXED_SHRINKAGE),
        kind="prototype",
    )


def _choose(
    rows: FeatureRows,
    targets: NDArray[np.int64],
    fold_of: NDArray[np.int64],
    class_count: int,
    *,
    balance: bool,
    on_step: Callable[[HeadStep], None] | None,
) -> tuple[_Losses, NDArray[np.float32], float]:
    """Each share with its loss, the logits of the best one out of fold, and that share."""
    logits = np.zeros((len(SHRINKAGES), len(targets), class_count), np.float32)
    for fold in range(int(fold_of.max()) + 1):
        held, seen = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        of_fold = rows.take(seen)
        learned = learned_rows(of_fold.plain, targets[seen], class_count=class_count, views=of_fold.views)
        standardised = (rows.plain[held] - learned.mean) / learned.std
        for index, (weight, bias) in enumerate(_prototypes(learned, class_count, SHRINKAGES, balance=balance)):
            logits[index, held] = standardised @ weight + bias
    losses = []
    for index, (shrinkage, of_share) in enumerate(zip(SHRINKAGES, logits, strict=True)):
        probabilities = softmax(of_share / fit_temperature(of_share, targets))
        losses.append(log_loss(probabilities, targets))
        if on_step is not None:
            right = accuracy(probabilities, targets)
            on_step(HeadStep("validation", right, losses[-1], strength_index=index, strength=shrinkage))
    best = losses.index(min(losses))
    return tuple(zip(SHRINKAGES, losses, strict=True)), logits[best], SHRINKAGES[best]


def _prototypes(
    learned: LearnedRows, class_count: int, shrinkages: Sequence[float], *, balance: bool
) -> list[_Weights]:
    """Weights of the linear head for each share of the identity.

    The covariance has as many directions as rows at most. In all others it is the identity alone, so that nothing as
    large as (D, D) is inverted. Features that vary together count as one: without that, scores would be many times too
    sure, and the temperature would have to find that out from few rows.
    """
    import torch

    x, of_class = torch.tensor(learned.features, dtype=torch.float64), torch.tensor(learned.targets)
    onehot = torch.nn.functional.one_hot(of_class, class_count).double()
    means = onehot.T @ x / onehot.sum(0)[:, None]
    centred = x - means[of_class]
    wide = centred.shape[0] < centred.shape[1]
    products = (centred @ centred.T if wide else centred.T @ centred) / len(centred)
    total = products.trace()
    typical = total / x.shape[1] if total > 0 else torch.ones(()).double()
    independent = total.square() / products.square().sum() / x.shape[1] if total > 0 else 1.0
    prior = torch.zeros(class_count).double() if balance else (onehot.mean(0)).log()
    seen = centred @ means.T / len(centred) if wide else means.T
    found = []
    for share in shrinkages:
        solved = means.T / (share * typical)
        if share < 1:
            shifted = (1 - share) * products
            shifted.diagonal().add_(share * typical)
            inverse_of_seen = torch.cholesky_solve(seen, torch.linalg.cholesky(shifted))
            # (A + a I)^-1 m = (m - C' (C C' + a I)^-1 C m) / a: Woodbury, from whichever side is smaller.
            solved = (
                solved - (1 - share) * (centred.T @ inverse_of_seen) / (share * typical) if wide else inverse_of_seen
            )
        weight = solved.T * independent
        found.append((weight.T.numpy(), (prior - (weight * means).sum(1) / 2).numpy()))
    return found
