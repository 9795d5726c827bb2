"""A folder of parts that several runs share: read, written part by part, tidied.

Parts are only ever added whole, equal rows twice are legal, and a killed run loses at most the part it had not written
yet. What the rows hold is the business of whoever owns the store: features or statistics.
"""

import contextlib
import fcntl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainer.errors.caches import CacheNotWritable, CachePartDamaged
from trainer.part_file import FETCHED, list_abandoned, list_parts, read_part, write_part

if TYPE_CHECKING:
    import pyarrow as pa

Row = TypeVar("Row")
Indices = NDArray[np.int64]

_ROWS_PER_PART = 256
_COMPACTED_PART_BYTES = 8 * 1024**2


class PartStore:
    """Rows in parquet parts.

    Args:
        folder: of the parts; it is made when something is written.
        schema: of each part; its first columns, as many as `key_size`, name a row.
        key_size: how many.
        warn: told about each damaged part that was dropped; `warnings` keeps the same sentences.
    """

    def __init__(
        self, folder: Path, schema: "pa.Schema", *, key_size: int = 1, warn: Callable[[str], None] | None = None
    ) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        self._schema = schema
        self._keys = schema.names[:key_size]
        self._warn = warn

    def tables(self) -> Iterator["pa.Table"]:
        """Every part once; looks again until none is new, because a compaction may replace parts meanwhile.

        A damaged part is dropped with a warning, so that its rows are computed again.
        """
        seen: set[str] = set()
        while fresh := [path for path in list_parts(self.folder) if path.name not in seen]:
            for path in fresh:
                seen.add(path.name)
                rows = self._read_or_drop(path)
                if rows is not None:
                    yield rows

    @contextlib.contextmanager
    def writer(self, to_table: Callable[[Sequence[Row]], "pa.Table"]) -> Iterator["PartWriter[Row]"]:
        """A writer that stores a part every 256 rows and what is left at the end, also when interrupted.

        Args:
            to_table: gives rows the schema of the store.

        Raises:
            CacheNotWritable: the folder cannot be written, or the disk is full.
        """
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(self.folder)
        writer = PartWriter(self.folder, to_table)
        try:
            yield writer
        finally:
            writer.flush()

    def compact(self, *, at_least_parts: int = 2) -> None:
        """Join small parts into large ones, unless another program is at it; writes before it deletes.

        Args:
            at_least_parts: with fewer small parts than that, nothing is done.

        Raises:
            CacheNotWritable: the folder cannot be written, or the disk is full; nothing was lost.
        """
        if len(self._small_parts()) < at_least_parts:
            return
        with writable(self.folder), sole_compactor(self.folder) as sole:
            if sole:
                self._join(self._small_parts())

    def _small_parts(self) -> list[tuple[Path, int]]:
        """Parts of less than half the size that they are joined to, with their sizes."""
        found: list[tuple[Path, int]] = []
        for path in list_parts(self.folder):
            with contextlib.suppress(OSError):  # gone since it was listed
                size = path.stat().st_size
                if 2 * size <= _COMPACTED_PART_BYTES:
                    found.append((path, size))
        return found

    def _join(self, parts: Sequence[tuple[Path, int]]) -> None:
        batch: list[tuple[Path, pa.Table]] = []
        total = 0
        for path, size in parts:
            if total + size > _COMPACTED_PART_BYTES:
                self._replace(batch)
                batch, total = [], 0
            rows = self._read_or_drop(path)
            if rows is not None:
                batch.append((path, rows))
                total += size
        self._replace(batch)

    def _replace(self, batch: Sequence[tuple[Path, "pa.Table"]]) -> None:
        if len(batch) < 2:
            return
        joined = write_part(self.folder, self._each_once([rows for _, rows in batch]))
        for path, _ in batch:
            if path != joined:
                path.unlink(missing_ok=True)

    def _each_once(self, tables: Sequence["pa.Table"]) -> "pa.Table":
        import pyarrow as pa

        joined = pa.concat_tables(tables).combine_chunks()
        last = {key: index for index, key in enumerate(keys_of(joined, self._keys))}
        return joined if len(last) == joined.num_rows else joined.take(sorted(last.values())).combine_chunks()

    def _read_or_drop(self, path: Path) -> "pa.Table | None":
        try:
            return read_part(path, self._schema)
        except FileNotFoundError:  # compacted away since it was listed
            return None
        except CachePartDamaged as error:
            self._tell(
                f"{error} It was dropped; what it held is computed again. If this happens often, check the disk."
            )
            with contextlib.suppress(OSError):  # in a read-only cache it stays, and is passed over again next time
                path.unlink()
                # What it held may lie elsewhere, under names that are known only as fetched.
                (self.folder / FETCHED).unlink(missing_ok=True)
        except OSError as error:
            self._tell(f"{path}: part of the cache passed over ({error}); what it holds is computed again.")
        return None

    def _tell(self, sentence: str) -> None:
        self.warnings.append(sentence)
        if self._warn is not None:
            self._warn(sentence)


class PartWriter(Generic[Row]):
    """Collects rows and stores them part by part; may be used from several threads.

    Args:
        folder: where the parts go; it exists.
        to_table: gives rows the schema of the parts.
    """

    def __init__(self, folder: Path, to_table: Callable[[Sequence[Row]], "pa.Table"]) -> None:
        self._folder = folder
        self._to_table = to_table
        self._rows: list[Row] = []
        self._lock = threading.Lock()

    def add(self, row: Row) -> None:
        """Take one row.

        Raises:
            CacheNotWritable: a part was due and could not be written.
        """
        with self._lock:
            self._rows.append(row)
            if len(self._rows) >= _ROWS_PER_PART:
                self._store()

    def flush(self) -> None:
        """Store what was taken so far.

        Raises:
            CacheNotWritable: it could not be written.
        """
        with self._lock:
            if self._rows:
                self._store()

    def _store(self) -> None:
        rows = self._to_table(self._rows)
        with writable(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)  # somebody may have pruned it meanwhile
            write_part(self._folder, rows)
        self._rows = []


def keys_of(rows: "pa.Table", columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What names each row, in order."""
    return zip(*(rows.column(name).to_pylist() for name in columns), strict=True)


def matches(rows: "pa.Table", wanted: Mapping[tuple[str, ...], int], columns: Sequence[str]) -> tuple[Indices, Indices]:
    """Row numbers of the wanted rows, and where each belongs: two arrays of the same length.

    Args:
        rows: of a part.
        wanted: where a row of each key belongs.
        columns: of the key.
    """
    pairs = [(row, wanted[key]) for row, key in enumerate(keys_of(rows, columns)) if key in wanted]
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


@contextlib.contextmanager
def sole_compactor(folder: Path) -> Iterator[bool]:
    """Whether this program alone may remove parts of a folder, as long as this lasts."""
    with (folder / ".compaction-lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True  # closing the file gives the lock back


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turns what the system says against writing into an error that tells what to do."""
    try:
        yield
    except OSError as error:
        raise CacheNotWritable(folder, str(error)) from error


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed runs left half-written."""
    for path in list_abandoned(folder):
        with contextlib.suppress(OSError):
            path.unlink()
