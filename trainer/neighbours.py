"""The nearest of many rows, by cosine: exact, a chunk of rows at a time."""

import numpy as np
from numpy.typing import NDArray

_PRODUCTS_AT_ONCE = 2**20  # 4 MB: they are passed over several times, and should not leave the cache


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
    rows_at_once = max(16, _PRODUCTS_AT_ONCE // max(1, len(rows)))
    for start in range(0, len(of), rows_at_once):
        asked = of[start : start + rows_at_once]
        products = rows[asked] @ rows.T
        places = np.arange(len(asked))
        products[places, asked] = -np.inf
        for rank in range(count):  # a few passes over a row are much faster than sorting it
            best = products.argmax(axis=1)
            found[start : start + len(asked), rank] = best
            products[places, best] = -np.inf
    return found
