"""Weights in the space that the rows of a fit span: with fewer rows than columns, the best ones lie in it."""

import torch
from torch import Tensor

_LEAST_OWN = 1e-6
"""Of the mean square length of a row, this much is its own: a copy of another row leaves the factor invertible."""


class RowSpace:
    """As many orthonormal coordinates as there are rows, instead of one for each column.

    A penalty on the square length of the weights makes every part of them 0 that no row sees, and the length is the
    same in these coordinates: the optimum is the same one, and all that leads to it takes M / D of the work.

    Args:
        rows: shape (M, D), M at most D.

    Source: B. Schoelkopf, R. Herbrich, A. Smola, A generalized representer theorem, COLT (2001).
    """

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows  # as they are: in float64 those of all folds at once are twice as large
        products = rows.double() @ rows.double().T
        products.diagonal().add_(_LEAST_OWN * float(products.diagonal().mean()) or 1.0)
        self._factor = torch.linalg.cholesky(products)
        self.rows = self._factor.to(rows.dtype)
        """The rows in these coordinates, shape (M, M)."""

    def of_others(self, rows: Tensor) -> Tensor:
        """Other rows, shape (O, D), as far as these coordinates reach: shape (O, M)."""
        return self._solved(self._rows.double() @ rows.double().T).T.to(rows.dtype)

    def coordinates(self, weights: Tensor) -> Tensor:
        """Of weights on columns, shape (K, D), what some row sees: shape (K, M)."""
        return self._solved(self._rows.double() @ weights.double().T).T.to(weights.dtype)

    def on_columns(self, weights: Tensor) -> Tensor:
        """Weights in these coordinates, shape (K, M), on columns: shape (K, D)."""
        of_rows: Tensor = torch.linalg.solve_triangular(self._factor.T, weights.double().T, upper=True)
        on_columns = of_rows.T @ self._rows.double()
        return on_columns.to(weights.dtype)

    def _solved(self, of_rows: Tensor) -> Tensor:
        solved: Tensor = torch.linalg.solve_triangular(self._factor, of_rows, upper=False)
        return solved
