"""The covariance of the features as a preconditioner: (scale * covariance + l2)^-1, from whichever side is smaller."""

import torch
from torch import Tensor


class Curvature:
    """Solves with scale * X'X / N + l2 * I for features X of shape (N, D) with zero mean.

    With fewer rows than columns the (N, N) matrix of inner products stands in for the (D, D) one.

    Source: the Woodbury identity, G. Golub and C. Van Loan, Matrix Computations (2013), section 2.1.4.
    """

    def __init__(self, features: Tensor) -> None:
        rows, columns = features.shape
        self._features = features
        self._wide = rows < columns
        # The products of a wide matrix are few, and the identity subtracts nearly equal numbers: float64 pays.
        factor = features.double() if self._wide else features
        self._products = (factor @ factor.T if self._wide else factor.T @ factor) / rows
        self._inverse = torch.empty(0)
        self.scale, self._l2 = 1.0, 1.0

    def set_scale(self, scale: float, l2: float) -> None:
        """Prepare to solve; scale and l2 are above 0."""
        self.scale, self._l2 = scale, l2
        shifted = scale * self._products
        shifted.diagonal().add_(l2)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(shifted))
        self._inverse = inverse.to(self._features.dtype)

    def solve(self, rows: Tensor) -> Tensor:
        """Each row of `rows`, shape (M, D), times the inverse: shape (M, D)."""
        if not self._wide:
            return rows @ self._inverse
        inner = (rows @ self._features.T) @ self._inverse
        return (rows - self.scale / len(self._features) * (inner @ self._features)) / self._l2
