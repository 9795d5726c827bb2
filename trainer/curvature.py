"""The weighted covariance of the features as a preconditioner, inverted from whichever side is smaller."""

import torch
from torch import Tensor


class Curvature:
    """Solves with scale * sum_i w_i x_i x_i' + l2 * I for feature rows x_i and their weights w_i.

    With fewer rows than columns the (N, N) matrix of inner products stands in for the (D, D) one. A preconditioner
    need not be exact, so float32 does for features of any type.

    Args:
        features: shape (N, D).
        row_weights: shape (N,), above 0.

    Source: the Woodbury identity, G. Golub and C. Van Loan, Matrix Computations (2013), section 2.1.4.
    """

    def __init__(self, features: Tensor, row_weights: Tensor) -> None:
        self._weighted = (row_weights.sqrt()[:, None] * features).float()
        self._wide = features.shape[0] < features.shape[1]
        # The identity subtracts nearly equal numbers: float64 keeps what is left of them.
        factor = self._weighted.double() if self._wide else self._weighted
        self._products = factor @ factor.T if self._wide else factor.T @ factor
        self._factor = torch.empty(0)
        self._scale, self._l2 = 1.0, 1.0

    def set_scale(self, scale: float, l2: float) -> None:
        """Prepare to solve; scale and l2 are above 0."""
        self._scale, self._l2 = scale, l2
        shifted = scale * self._products
        shifted.diagonal().add_(l2)
        self._factor = torch.linalg.cholesky(shifted)

    def solve(self, rows: Tensor) -> Tensor:
        """Each row of `rows`, shape (M, D), times the inverse: shape (M, D)."""
        known = rows.float()
        if not self._wide:
            return torch.cholesky_solve(known.T, self._factor).T.to(rows.dtype)
        inner = torch.cholesky_solve((self._weighted @ known.T).double(), self._factor).float()
        return ((known - self._scale * inner.T @ self._weighted) / self._l2).to(rows.dtype)
