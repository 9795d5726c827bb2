"""Rows of features, wherever they lie: in memory, or in a file on disk that is read block by block."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from trainer.rows_on_disk import RowsOnDisk

Rows = NDArray[np.float32] | RowsOnDisk
"""Shape (N, D)."""


def take(rows: Rows, positions: NDArray[np.int64]) -> Rows:
    """Some of them, in any order, where they lie."""
    return rows.take(positions) if isinstance(rows, RowsOnDisk) else rows[positions]


def gather(rows: Rows, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some of them, in any order, in memory: few, where the others lie on disk."""
    return in_memory(take(rows, positions))


def in_memory(rows: Rows) -> NDArray[np.float32]:
    """All of them in memory."""
    return rows.together() if isinstance(rows, RowsOnDisk) else rows


def blocks(rows: Rows) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Where each block begins, and the block; what lies in memory is one. See `RowsOnDisk.blocks`."""
    if isinstance(rows, RowsOnDisk):
        yield from rows.blocks()
    else:
        yield 0, rows


def each(rows: Rows, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Rows:
    """What a function makes of rows (B, D), each by itself: now in memory, when they are read on disk."""
    return rows.changed(change) if isinstance(rows, RowsOnDisk) else change(rows)
