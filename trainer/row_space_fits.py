"""The fits of a sweep in the space that their rows span: where there are many labels and more columns than rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.lbfgs import minimise
from trainer.row_space import RowSpace
from trainer.softmax_regression import SoftmaxRegression
from trainer.strength_path import FINAL_TOLERANCE, follow


@dataclass(frozen=True)
class FoldFit:
    """One fit of a strength, on the rows of the other folds.

    Attributes:
        held: numbers of the plain rows of its fold.
        logits: shape (len(held), K), of these.
        space: its coordinates.
        std: shape (D,), what its columns are divided by.
        parameters: shape (K, M + 1), in these coordinates.
    """

    held: Tensor
    logits: Tensor
    space: RowSpace
    std: Tensor
    parameters: Tensor

    def on_columns(self) -> Tensor:
        """Weights on columns that are divided by `std`, and the bias: shape (K, D + 1)."""
        weights, bias = self.parameters[:, :-1], self.parameters[:, -1:]
        return torch.cat([self.space.on_columns(weights), bias], dim=1)


def follow_folds(
    rows: Tensor,
    targets: Tensor,
    folds: Tensor,
    std: Tensor,
    weights: Tensor,
    strengths: Sequence[float],
    *,
    plain: int,
    class_count: int,
) -> Iterator[tuple[FoldFit, ...]]:
    """For each strength the fit of each fold, started near that of the strength before.

    Args:
        rows: shape (N, D), standardised over all of them.
        targets: shape (N,), class indices.
        folds: shape (N,), the fold that each row is held out in.
        std: shape (P, D), deviations over each fit's rows.
        weights: shape (N,), of the rows in the loss.
        strengths: from strong to weak.
        plain: how many rows, the first ones, are measured.
        class_count: K.
    """
    paths = [
        _follow_fold(
            rows / of_fold, targets, folds == fold, of_fold, weights, strengths, plain=plain, class_count=class_count
        )
        for fold, of_fold in enumerate(std)
    ]
    return zip(*paths, strict=True)


def _follow_fold(
    rows: Tensor,
    targets: Tensor,
    is_held: Tensor,
    std: Tensor,
    weights: Tensor,
    strengths: Sequence[float],
    *,
    plain: int,
    class_count: int,
) -> Iterator[FoldFit]:
    held = is_held[:plain].nonzero()[:, 0]
    space = RowSpace(rows[~is_held])
    of_held = space.of_others(rows[held])
    del rows  # all folds are under way at once
    problem = _problem(space, targets[~is_held], weights[~is_held], class_count)
    for parameters in follow(problem, strengths):
        of_fit = parameters[0]
        yield FoldFit(held, of_held @ of_fit[:, :-1].T + of_fit[:, -1], space, std, of_fit)


def fit_in_row_space(
    rows: Tensor, targets: Tensor, weights: Tensor, *, l2: float, class_count: int, start: Tensor
) -> Tensor:
    """The optimum of one strength on all rows: weights and bias, shape (K, D + 1); arguments as of `fit_one`."""
    space = RowSpace(rows)
    problem = _problem(space, targets, weights, class_count)
    near = torch.cat([space.coordinates(start[:, :-1]), start[:, -1:]], dim=1)[None]
    problem.evaluate(near)
    problem.set_strength(l2)
    found = minimise(problem, near, tolerance=FINAL_TOLERANCE)[0]
    return torch.cat([space.on_columns(found[:, :-1]), found[:, -1:]], dim=1)


def _problem(space: RowSpace, targets: Tensor, weights: Tensor, class_count: int) -> SoftmaxRegression:
    unit = torch.ones(1, len(space.rows))
    return SoftmaxRegression(space.rows, targets, weights[:, None], unit, class_count=class_count)
