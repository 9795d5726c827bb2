"""How far features are from those that a head has learned from: Mahalanobis distance to the nearest class mean."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

DIRECTIONS = 16
"""In how many directions the spread is known one by one; 64 find no more (docs/decisions/0021)."""

_ROWS = 1000  # enough for a spread in so few directions
_OVERSAMPLED, _ITERATIONS, _START = 8, 2, 9
SMALLEST_NORM = 1e-12
_SMALLEST_VARIANCE = 1e-10


@dataclass(frozen=True)
class Mahalanobis:
    """Distances under one covariance for all classes: 16 leading directions, and the same spread in all others.

    Of features f, scaled to length 1, the squared distance to class k is

        f @ weight[:, k] + bias[k] - |f @ directions|^2

    which is (f - mean_k)' S^-1 (f - mean_k), multiplied out so that a graph computes it with two small products.

    Attributes:
        directions: shape (D, J), float32, each scaled by the root of what it deserves less weight than the rest.
        weight: shape (D, K), float32.
        bias: shape (K,), float32.
    """

    directions: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distance to the nearest class mean, shape (N,), of features (N, D)."""
        rows = unit_rows(features)
        nearest = (rows @ self.weight + self.bias).min(axis=1)
        squared = nearest - np.square(rows @ self.directions).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(squared, 0)), dtype=np.float32)


def unit_rows(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row (N, D) divided by its length: how bright or busy a picture is says little of what it shows."""
    norms = np.sqrt(np.square(features).sum(axis=1, keepdims=True))
    return np.asarray(features / np.maximum(norms, SMALLEST_NORM), dtype=np.float32)


def fit_mahalanobis(rows: NDArray[np.float32], targets: NDArray[np.int64]) -> Mahalanobis:
    """Class means and their common covariance.

    The covariance within classes has its leading directions as they are; all others are shrunk to their mean. Features
    are not projected on the leading directions: what training pictures do not vary in is where unknown things differ.

    Args:
        rows: shape (N, D), of `unit_rows`, D at least 2.
        targets: shape (N,), class indices; a class without a row is no class.

    Source: K. Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
    attacks", NeurIPS 2018, for the distance; M. Tipping and C. Bishop, "Probabilistic principal component analysis",
    JRSS B 61 (1999), for the covariance; N. Halko et al., SIAM Review 53 (2011), for the directions.
    """
    _, position, counts = np.unique(targets, return_inverse=True, return_counts=True)
    means = _class_means(rows, position, counts)
    some = slice(None, None, -(-len(rows) // _ROWS))
    centred = rows[some] - means[position[some]]
    # A row is nearer to the mean that it is part of than to the true one, all the more the fewer it shares it with.
    freedom = max(1.0, float((1 - 1 / counts[position[some]]).sum()))
    return _multiplied_out(means.astype(np.float64), *_spread(centred, freedom))


def _multiplied_out(
    means: NDArray[np.float64], directions: NDArray[np.float64], variances: NDArray[np.float64], rest: float
) -> Mahalanobis:
    scaled = directions * np.sqrt(np.maximum(1 / rest - 1 / variances, 0))
    along = means @ scaled
    weight = -2 * means.T / rest + 2 * scaled @ along.T
    bias = (1 + np.square(means).sum(axis=1)) / rest - np.square(along).sum(axis=1)  # 1 is the length of any f
    return Mahalanobis(scaled.astype(np.float32), weight.astype(np.float32), bias.astype(np.float32))


def _class_means(
    rows: NDArray[np.float32], position: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float32]:
    import torch

    sums = torch.zeros(len(counts), rows.shape[1]).index_add_(0, torch.tensor(position), torch.tensor(rows))
    return np.asarray(sums.numpy() / counts[:, None], dtype=np.float32)


def _spread(centred: NDArray[np.float32], freedom: float) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Leading directions (D, J), the variances along them (J,), and the mean variance across all others."""
    import torch

    size = centred.shape[1]
    count = min(DIRECTIONS, size - 1)
    rows = torch.tensor(centred)
    basis = _leading(rows, min(count + _OVERSAMPLED, size))
    along = (rows @ basis).double()
    variances, turns = torch.linalg.eigh(along.T @ along / freedom)
    directions = basis.double() @ turns[:, -count:]
    total = float(rows.square().sum(dtype=torch.float64)) / freedom
    rest = max((total - float(variances[-count:].sum())) / (size - count), _SMALLEST_VARIANCE)
    return directions.numpy(), np.maximum(variances[-count:].numpy(), rest), rest


def _leading(rows: "Tensor", count: int) -> "Tensor":
    """An orthonormal basis (D, count) that nearly holds the leading directions of rows (N, D)."""
    import torch

    generator = torch.Generator().manual_seed(_START)
    basis = torch.randn(rows.shape[1], count, generator=generator)
    for _ in range(_ITERATIONS):
        basis, _ = torch.linalg.qr(rows.T @ (rows @ basis))
    return basis
