"""Fits of one strength on growing subsets of the same rows: each starts where the smaller one ended."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.lbfgs import minimise
from trainer.softmax_regression import SoftmaxRegression
from trainer.standardise import floored, shrunk, shrunk_standardisation

# Ten times looser than the sweep's path: who is right changes by less than one row in a thousand.
_TOLERANCE = 1e-3


def fit_subsets(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    growing: Sequence[NDArray[np.bool_]],
    *,
    strengths: Sequence[float],
    class_count: int,
) -> list[NDArray[np.float32]]:
    """Logits of every row under probes that are fitted on some rows; P fits side by side, such as those of P folds.

    Args:
        features: shape (N, D).
        targets: shape (N,), class indices.
        growing: for each step from few rows to many, shape (N, P): whether the row belongs to the fit.
        strengths: of each step.
        class_count: K.

    Returns:
        For each step, shape (N, P, K).
    """
    mean, scale = shrunk_standardisation(features)
    rows = (features - mean) / scale
    start: torch.Tensor | None = None
    found = []
    for members, l2 in zip(growing, strengths, strict=True):
        std = np.stack([_deviations(rows[of_fit], scale) for of_fit in members.T])
        start = _fit(rows, targets, members, std, l2=l2, class_count=class_count, start=start)
        parameters = start.numpy()
        scaled = parameters[..., :-1] / std[:, None, :]
        found.append(np.einsum("nd,pkd->npk", rows, scaled, optimize=True) + parameters[..., -1])
    return found


def _fit(
    rows: NDArray[np.float32],
    targets: NDArray[np.int64],
    members: NDArray[np.bool_],
    std: NDArray[np.float32],
    *,
    l2: float,
    class_count: int,
    start: torch.Tensor | None,
) -> torch.Tensor:
    """Parameters, shape (P, K, D + 1); only rows that some fit has are looked at."""
    used = np.flatnonzero(members.any(axis=1))
    problem = SoftmaxRegression(
        torch.tensor(rows[used]),
        torch.tensor(targets[used]),
        torch.tensor(members[used].astype(np.float32)),
        torch.tensor(std),
        class_count=class_count,
    )
    start = torch.zeros(problem.shape) if start is None else start
    problem.evaluate(start)
    problem.set_strength(l2)
    return minimise(problem, start, tolerance=_TOLERANCE)


def _deviations(rows: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over these rows, shape (D,), with the floor and shrunk as they would be before scaling."""
    deviations = rows.std(axis=0, dtype=np.float64)
    own = shrunk(floored(deviations * scale), np.float64(len(rows)))
    return (own / scale).astype(np.float32)
