"""Rows of features in a file, for those that memory does not hold: written in any order, read block by block."""

import contextlib
import itertools
import os
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.errors import CacheNotWritable

_BLOCK_BYTES = 32 * 1024**2
_FLOAT = np.dtype(np.float32)


class _UnnamedFile:
    """A file that no folder names: its disk space is free again once nobody holds this, whatever becomes of us."""

    def __init__(self, folder: Path) -> None:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            self.descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.descriptor)


class RowsOnDisk:
    """Rows of a file, all of them or some, in their order there.

    They are read, not mapped: pages of a mapped file count as memory of the process, those that the system keeps of a
    file that is read do not. Selections share the file.

    Args:
        file: N rows of D float32 each, one after the other.
        width: D.
        numbers: which rows of the file these are, ascending, shape (M,).
    """

    def __init__(self, file: _UnnamedFile, width: int, numbers: NDArray[np.int64]) -> None:
        self._file = file
        self._numbers = numbers
        self.shape = (len(numbers), width)

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, rows: NDArray[np.int64]) -> "RowsOnDisk":
        """Some of these rows, by their positions, which must ascend; nothing is copied.

        Raises:
            ValueError: the positions do not ascend.
        """
        if len(rows) > 1 and not (np.diff(rows) > 0).all():
            raise ValueError("rows on disk are taken in their order; the positions do not ascend")
        return RowsOnDisk(self._file, self.shape[1], self._numbers[rows])

    def together(self) -> NDArray[np.float32]:
        """All of them in memory."""
        found = np.empty(self.shape, np.float32)
        for start, block in self.blocks():
            found[start : start + len(block)] = block
        return found

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """All rows in their order: where a block begins, and the block, shape (B, D).

        The next block is read while one is worked on.

        Raises:
            OSError: the file cannot be read.
        """
        stretches = self._read()
        with ThreadPoolExecutor(1, thread_name_prefix="rows") as reader:
            coming = reader.submit(next, stretches, None)
            while (got := coming.result()) is not None:
                coming = reader.submit(next, stretches, None)
                yield got

    def _read(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Stretches of the file that hold rows of these, without those between."""
        at_once = max(1, _BLOCK_BYTES // (self.shape[1] * _FLOAT.itemsize))
        start = 0
        while start < len(self):
            first = int(self._numbers[start])
            end = int(np.searchsorted(self._numbers, first + at_once))
            stretch = self._read_rows(first, int(self._numbers[end - 1]) + 1)
            whole = len(stretch) == end - start
            yield start, stretch if whole else stretch[self._numbers[start:end] - first]
            start = end

    def _read_rows(self, first: int, end: int) -> NDArray[np.float32]:
        rows = np.empty((end - first, self.shape[1]), np.float32)
        left, offset = rows.data.cast("B"), first * self.shape[1] * _FLOAT.itemsize
        while left:
            count = os.preadv(self._file.descriptor, [left], offset)
            if not count:
                raise OSError(f"the file of the features ends before row {end}")
            left, offset = left[count:], offset + count
        return rows


class RowFile:
    """Takes rows in any order into a file without a name.

    Args:
        folder: on whose disk; it is made where there is none.
        count: N, how many rows there will be; those that are not written are zeros.
        width: D.

    Raises:
        CacheNotWritable: the folder cannot be written, or its disk has no room for N x D numbers.
    """

    def __init__(self, folder: Path, count: int, width: int) -> None:
        self._folder, self._count, self._width = folder, count, width
        with self._telling():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _UnnamedFile(folder)
            _reserve(self._file.descriptor, max(1, count * width * _FLOAT.itemsize))

    def write(self, positions: Sequence[int] | NDArray[np.int64], rows: NDArray[np.float32]) -> None:
        """Put rows (B, D) at these positions.

        Raises:
            ValueError: a position is not one of the file's.
            CacheNotWritable: the disk refuses them.
        """
        if len(positions) and not 0 <= min(positions) <= max(positions) < self._count:
            raise ValueError(f"positions {min(positions)} to {max(positions)} in a file of {self._count} rows")
        aligned = np.ascontiguousarray(rows, np.float32)
        with self._telling():
            for begin, end in _runs(np.asarray(positions, np.int64)):
                self._write_all(aligned[begin:end].data.cast("B"), int(positions[begin]))

    def rows(self) -> RowsOnDisk:
        """All of them; what is written later is seen as well."""
        return RowsOnDisk(self._file, self._width, np.arange(self._count))

    def _write_all(self, left: memoryview, row: int) -> None:
        offset = row * self._width * _FLOAT.itemsize
        while left:
            count = os.pwrite(self._file.descriptor, left, offset)
            left, offset = left[count:], offset + count

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheNotWritable(self._folder, error.strerror or str(error)) from error


def _reserve(descriptor: int, size: int) -> None:
    """Room on the disk now, where the system can promise it, rather than an error half-way."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


def _runs(positions: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches of positions that follow each other, as slices."""
    breaks = np.flatnonzero(np.diff(positions) != 1) + 1
    edges = [0, *breaks.tolist(), len(positions)]
    yield from itertools.pairwise(edges)
