"""Fits the head: one warm-started path of L2 strengths over all folds at once, or one strength on all rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.lbfgs import minimise
from trainer.live_metrics import HeadStep
from trainer.row_space_fits import FoldFit, fit_in_row_space, follow_folds
from trainer.row_space_pays import pays
from trainer.softmax_regression import SoftmaxRegression
from trainer.standardise import floored, shrunk
from trainer.strength_path import FINAL_TOLERANCE, PATH_TOLERANCE, STRENGTHS, follow, rises_for_good


@dataclass(frozen=True)
class Swept:
    """The chosen strength and what was seen on the way.

    Attributes:
        l2: the strength with the lowest cross-validated log loss; of equal ones the strongest.
        losses: each strength that was tried with its cross-validated log loss in nats, from strong to weak.
        logits: shape (plain, K), of each measured row under the fit that did not see its fold, at the chosen strength.
        parameters: shape (K, D + 1), mean of the folds' weights and biases at the chosen strength: a warm start.
    """

    l2: float
    losses: tuple[tuple[float, float], ...]
    logits: NDArray[np.float32]
    parameters: NDArray[np.float32]


def sweep(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    *,
    scale: NDArray[np.float32],
    class_count: int,
    weights: NDArray[np.float32] | None = None,
    plain: int | None = None,
    on_step: Callable[[HeadStep], None] | None = None,
) -> Swept:
    """Fit every strength on all folds at once; the one with the lowest cross-validated log loss wins.

    Args:
        features: shape (N, D), standardised over all rows.
        targets: shape (N,), class indices.
        folds: shape (N,), the fold that each row is held out in.
        scale: shape (D,), what the features were divided by; the folds' own deviations follow from it.
        class_count: K.
        weights: shape (N,), of the rows in the loss; all alike, if not said.
        plain: how many rows, the first ones, are measured; the others are only learned from. All, if not said.
        on_step: told of each strength.
    """
    path = _in_row_space if pays(features.shape, class_count) else _on_columns
    true_class = torch.tensor(targets)[:plain]
    losses: list[float] = []
    best: _OutOfFold | None = None
    for found in path(features, targets, folds, scale, class_count, weights, plain):
        losses.append(found.loss)
        if best is None or losses[-1] < min(losses[:-1]):
            best = found
        if on_step is not None:
            accuracy = float((found.logits.argmax(1) == true_class).double().mean())
            index = len(losses) - 1
            on_step(HeadStep("validation", accuracy, losses[-1], strength_index=index, strength=STRENGTHS[index]))
        if rises_for_good(losses):
            break
    if best is None:
        raise RuntimeError("there is always a strength to try")
    return Swept(
        l2=STRENGTHS[losses.index(min(losses))],
        losses=tuple(zip(STRENGTHS, losses, strict=False)),
        logits=best.logits.numpy(),
        parameters=best.mean_parameters().numpy(),
    )


@dataclass(frozen=True)
class _OutOfFold:
    """One strength: the log loss of the plain rows, their logits (plain, K), and the folds' mean weights and biases."""

    loss: float
    logits: Tensor
    mean_parameters: Callable[[], Tensor]


def _on_columns(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    scale: NDArray[np.float32],
    class_count: int,
    weights: NDArray[np.float32] | None,
    plain: int | None,
) -> Iterator[_OutOfFold]:
    """All folds at once, with a weight for each column."""
    problem = _problem_of_folds(features, targets, folds, scale, class_count, weights, plain)
    held_out_in = torch.tensor(folds)[:plain]
    for parameters in follow(problem, STRENGTHS):
        loss = float(problem.losses[:plain].gather(1, held_out_in[:, None]).mean())
        yield _OutOfFold(loss, _of_held_out(problem.logits[:plain], held_out_in), partial(parameters.mean, 0))


def _in_row_space(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    scale: NDArray[np.float32],
    class_count: int,
    weights: NDArray[np.float32] | None,
    plain: int | None,
) -> Iterator[_OutOfFold]:
    """Fold by fold, with a weight for each row that a fit learns from: the same optima."""
    rows, true_class, measured = _aligned(features), torch.tensor(targets), plain or len(features)
    _, std = _members_of_folds(rows, folds, scale, plain)
    of_rows = _weights_of(rows, weights)[:, 0]
    for fits in follow_folds(
        rows, true_class, torch.tensor(folds), std, of_rows, STRENGTHS, plain=measured, class_count=class_count
    ):
        logits = torch.zeros(measured, class_count)
        for fit in fits:
            logits[fit.held] = fit.logits
        loss = float(torch.nn.functional.cross_entropy(logits, true_class[:measured]))
        yield _OutOfFold(loss, logits, partial(_mean_on_columns, fits))


def _mean_on_columns(fits: tuple[FoldFit, ...]) -> Tensor:
    return torch.stack([fit.on_columns() for fit in fits]).mean(0)


def fit_one(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    l2: float,
    class_count: int,
    weights: NDArray[np.float32] | None = None,
    start: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The optimum of one strength on all rows: weights and bias, shape (K, D + 1).

    float64 finds the same optimum as float32, to the last digit that the tolerance leaves, in nearly twice the time.

    Args:
        features: shape (N, D), standardised.
        targets: shape (N,), class indices.
        l2: the strength.
        class_count: K.
        weights: shape (N,), of the rows in the loss; all alike, if not said.
        start: shape (K, D + 1), near the optimum; without it the path from strong strengths leads there.
    """
    rows = _aligned(features)
    everyone, unit = _weights_of(rows, weights), torch.ones(1, rows.shape[1])
    if start is not None and pays(features.shape, class_count):
        near_by, classes = torch.tensor(start), torch.tensor(targets)
        return fit_in_row_space(rows, classes, everyone[:, 0], l2=l2, class_count=class_count, start=near_by).numpy()
    problem = SoftmaxRegression(rows, torch.tensor(targets), everyone, unit, class_count=class_count)
    if start is None:
        near = [torch.zeros(problem.shape), *follow(problem, [one for one in STRENGTHS if one > l2])][-1]
    else:
        near = torch.tensor(start)[None]
    problem.evaluate(near)
    problem.set_strength(l2)
    return minimise(problem, near, tolerance=FINAL_TOLERANCE)[0].numpy()


def fit_folds(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    *,
    l2: float,
    scale: NDArray[np.float32],
    class_count: int,
    weights: NDArray[np.float32] | None = None,
    plain: int | None = None,
    start: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Logits of every plain row, shape (plain, K), under the fit of one strength that did not see its fold.

    Args:
        features, targets, folds, scale, class_count, weights, plain: as of `sweep`.
        l2: the strength.
        start: shape (K, D + 1), near the optimum of every fold.
    """
    problem = _problem_of_folds(features, targets, folds, scale, class_count, weights, plain)
    near = torch.tensor(start).expand(problem.shape).clone()
    problem.evaluate(near)
    problem.set_strength(l2)
    minimise(problem, near, tolerance=PATH_TOLERANCE)
    return _of_held_out(problem.logits[:plain], torch.tensor(folds)[:plain]).numpy()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use this many CPU threads, then as many as before: how sums are split decides their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _problem_of_folds(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    scale: NDArray[np.float32],
    class_count: int,
    weights: NDArray[np.float32] | None,
    plain: int | None,
) -> SoftmaxRegression:
    """One fit for each fold, on the rows of the others, which are standardised as rows that weigh alike: by `weights`
    they count in the loss alone, as in the fit on all rows."""
    rows = _aligned(features)
    members, std = _members_of_folds(rows, folds, scale, plain)
    weighed = members * _weights_of(rows, weights)
    return SoftmaxRegression(rows, torch.tensor(targets), weighed, std, class_count=class_count)


def _members_of_folds(
    rows: Tensor, folds: NDArray[np.int64], scale: NDArray[np.float32], plain: int | None
) -> tuple[Tensor, Tensor]:
    """Which rows each fit learns from, 1 or 0, shape (N, P), and their deviations, shape (P, D)."""
    members = (torch.tensor(folds)[:, None] != torch.arange(int(folds.max()) + 1)).to(rows.dtype)
    return members, _standard_deviations(rows, members, scale, pictures_per_row=(plain or len(rows)) / len(rows))


def _weights_of(rows: Tensor, weights: NDArray[np.float32] | None) -> Tensor:
    """Shape (N, 1)."""
    return torch.ones(len(rows), 1) if weights is None else torch.tensor(weights)[:, None]


def _aligned(features: NDArray[np.float32]) -> Tensor:
    """A copy in torch's own memory: where an array starts modulo 64 bytes changes the last bits of a product."""
    return torch.tensor(features)


def _standard_deviations(
    rows: Tensor, members: Tensor, scale: NDArray[np.float32], *, pictures_per_row: float
) -> Tensor:
    """Deviations over each fit's rows, shape (P, D), with the floor and shrunk as they would be before scaling."""
    counts = members.sum(0)[:, None]
    mean, mean_square = members.T @ rows / counts, members.T @ rows.square() / counts
    std = (mean_square - mean.square()).clamp_min(0).sqrt().double().numpy()
    own = shrunk(floored(std * scale), pictures_per_row * counts.double().numpy())
    return torch.tensor(own / scale, dtype=rows.dtype)


def _of_held_out(logits: Tensor, folds: Tensor) -> Tensor:
    return logits.gather(1, folds[:, None, None].expand(-1, 1, logits.shape[2])).squeeze(1)
