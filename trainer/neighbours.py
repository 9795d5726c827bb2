"""The nearest of many rows, by cosine: exact, a chunk of rows at a time."""

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 512


def nearest(rows: NDArray[np.float32], of: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The `count` rows that have the largest products with each of some rows, nearest first, never the row itself.

    Args:
        rows: shape (N, F), of length 1.
        of: shape (M,), which of them are asked for.
        count: how many; N - 1 where there are fewer.

    Returns:
        Shape (M, count), row numbers.
    """
    count = min(count, len(rows) - 1)
    found = np.empty((len(of), count), dtype=np.int64)
    for start in range(0, len(of), _ROWS_AT_ONCE):
        asked = of[start : start + _ROWS_AT_ONCE]
        products = rows[asked] @ rows.T
        places = np.arange(len(asked))
        products[places, asked] = -np.inf
        for rank in range(count):  # a few passes over a row are much faster than sorting it
            best = products.argmax(axis=1)
            found[start : start + len(asked), rank] = best
            products[places, best] = -np.inf
    return found
