"""Rows of features in a file, for those that memory does not hold: written in any order, read block by block."""

import contextlib
import itertools
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.errors.caches import CacheNotWritable

_BLOCK_BYTES = 32 * 1024**2
_SPARSE = 8
"""Of fewer than one row in so many, each is read by itself: what lies between costs more than asking anew."""

_FLOAT = np.dtype(np.float32)
Values = NDArray[np.float32]


class _UnnamedFile:
    """A file that no folder names: its disk space is free again once nobody holds this, whatever becomes of us."""

    def __init__(self, folder: Path) -> None:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            self.descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.descriptor)


class RowsOnDisk:
    """Rows of a file, all of them or some, in any order; what goes through all of them needs them in the file's.

    They are read, not mapped: pages of a mapped file count as memory of the process, those that the system keeps of a
    file that is read do not. Selections share the file.

    Args:
        file: rows of D float32 each, one after the other.
        width: D.
        numbers: which rows of the file these are, shape (M,); the same one may be there several times.
        change: what is done to rows (B, D) when they are read, each by itself; nothing, if not said.
    """

    def __init__(
        self,
        file: _UnnamedFile,
        width: int,
        numbers: NDArray[np.int64],
        *,
        change: Callable[[Values], Values] | None = None,
    ) -> None:
        self._file = file
        self._numbers = numbers
        self._change = change
        self.shape = (len(numbers), width)

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, rows: NDArray[np.int64]) -> "RowsOnDisk":
        """Some of these rows, by their positions in any order; nothing is copied."""
        return RowsOnDisk(self._file, self.shape[1], self._numbers[rows], change=self._change)

    def changed(self, change: Callable[[Values], Values]) -> "RowsOnDisk":
        """The same rows, as a function makes them of rows (B, D), each by itself; it is applied when they are read."""
        before = self._change
        then = change if before is None else lambda rows: change(before(rows))
        return RowsOnDisk(self._file, self.shape[1], self._numbers, change=then)

    def together(self) -> Values:
        """All of them in memory, in whatever order they are."""
        found = np.empty(self.shape, np.float32)
        order = np.argsort(self._numbers, kind="stable")
        for start, block in self.take(order).blocks():
            found[order[start : start + len(block)]] = block
        return found

    def blocks(self) -> Iterator[tuple[int, Values]]:
        """All rows in their order: where a block begins, and the block, shape (B, D).

        The next block is read while one is worked on.

        Raises:
            ValueError: that is not the order of the file.
            OSError: the file cannot be read.
        """
        if (np.diff(self._numbers) < 0).any():
            raise ValueError("rows on disk are gone through in the order of their file; these are in another")
        stretches = self._read()
        with ThreadPoolExecutor(1, thread_name_prefix="rows") as reader:
            coming = reader.submit(next, stretches, None)
            while (got := coming.result()) is not None:
                coming = reader.submit(next, stretches, None)
                yield got

    def _read(self) -> Iterator[tuple[int, Values]]:
        at_once = max(1, _BLOCK_BYTES // (self.shape[1] * _FLOAT.itemsize))
        start = 0
        while start < len(self):
            of_stretch = int(np.searchsorted(self._numbers, self._numbers[start] + at_once))
            few = _SPARSE * (of_stretch - start) < at_once
            end = min(len(self) if few else of_stretch, start + at_once)
            rows = (self._each if few else self._stretch)(self._numbers[start:end])
            yield start, rows if self._change is None else self._change(rows)
            start = end

    def _each(self, numbers: NDArray[np.int64]) -> Values:
        return np.concatenate([self._read_rows(number, number + 1) for number in numbers.tolist()])

    def _stretch(self, numbers: NDArray[np.int64]) -> Values:
        """A stretch of the file, without the rows between those that are wanted."""
        first = int(numbers[0])
        stretch, wanted = self._read_rows(first, int(numbers[-1]) + 1), numbers - first
        return stretch if np.array_equal(wanted, np.arange(len(stretch))) else stretch[wanted]

    def _read_rows(self, first: int, end: int) -> Values:
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

    def write(self, positions: Sequence[int] | NDArray[np.int64], rows: Values) -> None:
        """Put rows (B, D) at these positions.

        Raises:
            ValueError: a position is not one of the file's.
            CacheNotWritable: the disk refuses them.
        """
        if not len(positions):
            return
        if not 0 <= min(positions) <= max(positions) < self._count:
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
