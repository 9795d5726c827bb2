"""The weighted covariance of the features as a preconditioner, inverted from whichever side is smaller."""

import torch
from torch import Tensor


class Curvature:
    """Solves with sum_i w_i x_i x_i' + l2 * I for feature rows x_i and their weights w_i.

    With fewer rows than columns the (N, N) matrix of inner products stands in for the (D, D) one.

    Args:
        features: shape (N, D).
        row_weights: shape (N,), at least 0.
        l2: above 0.

    Source: the Woodbury identity, G. Golub and C. Van Loan, Matrix Computations (2013), section 2.1.4.
    """

    def __init__(self, features: Tensor, row_weights: Tensor, l2: float) -> None:
        self._weighted = row_weights.sqrt()[:, None] * features
        self._wide = features.shape[0] < features.shape[1]
        self._l2 = l2
        # The identity subtracts nearly equal numbers: float64 keeps what is left of them.
        factor = self._weighted.double() if self._wide else self._weighted
        products = factor @ factor.T if self._wide else factor.T @ factor
        products.diagonal().add_(l2)
        self._inverse = torch.cholesky_inverse(torch.linalg.cholesky(products)).to(features.dtype)

    def solve(self, rows: Tensor) -> Tensor:
        """Each row of `rows`, shape (M, D), times the inverse: shape (M, D)."""
        if not self._wide:
            return rows @ self._inverse
        inner = (rows @ self._weighted.T) @ self._inverse
        return (rows - inner @ self._weighted) / self._l2
