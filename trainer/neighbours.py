"""The nearest of many rows, by cosine: exact."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.rows import Rows, blocks, gather, take

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


def nearest_of_other_groups(
    features: Rows, groups: Sequence[str], *, of: NDArray[np.int64], among: NDArray[np.int64], count: int
) -> list[list[tuple[int, float]]]:
    """For each row asked for, the nearest rows by cosine, nearest first, none of its own group: (row, cosine).

    Args:
        features: shape (N, D).
        groups: N group ids.
        of: shape (M,), the rows that are asked for.
        among: the rows that may be found, ascending.
        count: how many; fewer where the other groups have fewer.
    """
    own = _of_length_one(gather(features, of))
    every = np.empty((len(of), len(among)), np.float32)
    for start, block in blocks(take(features, among)):
        every[:, start : start + len(block)] = own @ _of_length_one(block).T
    names = np.asarray(groups, dtype=np.str_)
    of_candidates = names[among]
    found = []
    for row, cosines in zip(of.tolist(), every, strict=True):
        allowed = np.flatnonzero(of_candidates != names[row])
        best = allowed[np.argsort(-cosines[allowed], kind="stable")[:count]]
        found.append([(int(among[place]), float(cosines[place])) for place in best])
    return found


def _of_length_one(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)
