"""How far features are from those that a head has learned from: Mahalanobis distance to the nearest class mean."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.rows import Rows, blocks, gather, take

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

        f @ weight[:, k] + bias[k] - times[k] |f @ directions|^2

    which is times[k] (f - mean_k)' S^-1 (f - mean_k), multiplied out so that a graph computes it with two small
    products. A new picture's squared distance to the mean of n others is 1 + 1/n times that to the true one, on
    average; `times` is the inverse of that, so that a label of two pictures looks as near to its own as others do.

    Attributes:
        directions: shape (D, J), float32, each scaled by the root of what it deserves less weight than the rest.
        weight: shape (D, K), float32.
        bias: shape (K,), float32.
        times: shape (K,), float32, n / (n + 1) of a class of n.
    """

    directions: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    times: NDArray[np.float32]

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distance to the nearest class mean, shape (N,), of features (N, D)."""
        return self.distances_of_units(unit_rows(features))

    def distances_of_units(self, rows: Rows) -> NDArray[np.float32]:
        """The same of rows that are of length 1 already."""
        found = np.empty(len(rows), np.float32)
        for start, block in blocks(rows):
            found[start : start + len(block)] = self._distances(block)
        return found

    def _distances(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        too_much = np.square(rows @ self.directions).sum(axis=1, keepdims=True) * self.times
        nearest = (rows @ self.weight + self.bias - too_much).min(axis=1)
        return np.asarray(np.sqrt(np.maximum(nearest, 0)), dtype=np.float32)


def unit_rows(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row (N, D) divided by its length: how bright or busy a picture is says little of what it shows."""
    norms = np.sqrt(np.square(features).sum(axis=1, keepdims=True))
    return np.asarray(features / np.maximum(norms, SMALLEST_NORM), dtype=np.float32)


@dataclass(frozen=True)
class ClassSums:
    """Of rows (N, D): their sum by class, shape (K, D), and how many there are, shape (K,)."""

    sums: NDArray[np.float32]
    counts: NDArray[np.int64]

    @property
    def means(self) -> NDArray[np.float32]:
        """Shape (K, D); 0 for a class without rows."""
        return np.asarray(self.sums / np.maximum(self.counts, 1)[:, None], dtype=np.float32)

    def without(self, rows: Rows, targets: NDArray[np.int64]) -> "ClassSums":
        """Of all rows but these."""
        theirs = class_sums(rows, targets, len(self.counts))
        return ClassSums(self.sums - theirs.sums, self.counts - theirs.counts)


def class_sums(rows: Rows, targets: NDArray[np.int64], class_count: int) -> ClassSums:
    """Of rows (N, D) with class indices (N,) below `class_count`."""
    import torch

    sums = torch.zeros(class_count, rows.shape[1])
    for start, block in blocks(rows):
        sums.index_add_(0, torch.tensor(targets[start : start + len(block)]), torch.tensor(block))
    return ClassSums(sums.numpy(), np.bincount(targets, minlength=class_count))


def fit_mahalanobis(
    rows: Rows,
    targets: NDArray[np.int64],
    *,
    unseen: NDArray[np.bool_] | None = None,
    sums: ClassSums | None = None,
) -> Mahalanobis:
    """Class means and their common covariance.

    The covariance within classes has its leading directions as they are; all others are shrunk to their mean. Features
    are not projected on the leading directions: what training pictures do not vary in is where unknown things differ.

    Args:
        rows: shape (N, D), of `unit_rows`, D at least 2; read three times where they lie on disk.
        targets: shape (N,), class indices; a class without a row is no class.
        unseen: shape (N,), rows to fit without; none, if not said.
        sums: of all rows, where they are known already.

    Source: K. Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
    attacks", NeurIPS 2018, for the distance; M. Tipping and C. Bishop, "Probabilistic principal component analysis",
    JRSS B 61 (1999), for the covariance; N. Halko et al., SIAM Review 53 (2011), for the directions.
    """
    seen = np.arange(len(rows)) if unseen is None else np.flatnonzero(~unseen)
    sums = sums or class_sums(rows, targets, int(targets.max()) + 1)
    if unseen is not None:
        sums = sums.without(take(rows, np.flatnonzero(unseen)), targets[unseen])
    means = sums.means
    some = seen[:: -(-len(seen) // _ROWS)]
    of_some = targets[some]
    # A row is nearer to the mean that it is part of than to the true one, all the more the fewer it shares it with.
    freedom = max(1.0, float((1 - 1 / sums.counts[of_some]).sum()))
    spread = _spread(gather(rows, some) - means[of_some], freedom)
    known = sums.counts > 0
    times = sums.counts[known] / (sums.counts[known] + 1)
    return _multiplied_out(means[known].astype(np.float64), times, *spread)


def _multiplied_out(
    means: NDArray[np.float64],
    times: NDArray[np.float64],
    directions: NDArray[np.float64],
    variances: NDArray[np.float64],
    rest: float,
) -> Mahalanobis:
    scaled = directions * np.sqrt(np.maximum(1 / rest - 1 / variances, 0))
    along = means @ scaled
    weight = -2 * means.T / rest + 2 * scaled @ along.T
    bias = (1 + np.square(means).sum(axis=1)) / rest - np.square(along).sum(axis=1)  # 1 is the length of any f
    return Mahalanobis(
        scaled.astype(np.float32),
        (weight * times).astype(np.float32),
        (bias * times).astype(np.float32),
        times.astype(np.float32),
    )


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
