"""Picture statistics on disk, found by what produced them: how pictures are decoded, and the picture's digest."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainer.part_store import PartStore, PartWriter, keys_of, matches
from trainer.picture_statistics import COLUMNS, GREY_SIDE, PictureStatistics, StatisticsTable

if TYPE_CHECKING:
    import pyarrow as pa

STATISTICS_FOLDER = "statistics"

_KEY = ("digest",)
_GREY_BYTES = GREY_SIDE * GREY_SIDE
_Row = tuple[str, PictureStatistics]


class StatisticsCache:
    """The statistics of one fingerprint: parquet parts in <folder>/statistics/<fingerprint>/.

    Args:
        folder: the cache folder, shared by all runs.
        fingerprint: SHA-256 over everything that influences the statistics.
        warn: told about each damaged part that was dropped; `warnings` keeps the same sentences.
    """

    def __init__(self, folder: Path, fingerprint: str, *, warn: Callable[[str], None] | None = None) -> None:
        self.folder = folder / STATISTICS_FOLDER / fingerprint
        self._store = PartStore(self.folder, _schema(), key_size=len(_KEY), warn=warn)

    @property
    def warnings(self) -> list[str]:
        """A sentence for each damaged part that was dropped."""
        return self._store.warnings

    def known(self, digests: Collection[str]) -> set[str]:
        """Those of `digests` whose statistics are stored; holds one part at a time in memory."""
        wanted = frozenset(digests)
        return {digest for rows in self._store.tables() for (digest,) in keys_of(rows, _KEY) if digest in wanted}

    def read(self, digests: Sequence[str]) -> tuple[StatisticsTable, NDArray[np.bool_]]:
        """The stored statistics of `digests`, no digest twice.

        A damaged part is dropped with a warning, so that its rows are computed again.

        Returns:
            A row for each of `digests`, in their order, and N times whether it is filled: what is not stored, or is
            damaged, has zeros and no format.
        """
        wanted: dict[tuple[str, ...], int] = {(digest,): position for position, digest in enumerate(digests)}
        table = StatisticsTable.of_zeros(digests)
        found = np.zeros(len(digests), dtype=np.bool_)
        for rows in self._store.tables():
            of_part, positions = matches(rows, wanted, _KEY)
            for name in COLUMNS:
                getattr(table, name)[positions] = _values_of(rows, name)[of_part]
            found[positions] = True
        return table, found

    @contextlib.contextmanager
    def writer(self) -> Iterator["StatisticsWriter"]:
        """A writer that stores a part every 256 rows and what is left at the end, also when interrupted.

        Raises:
            CacheNotWritable: the folder cannot be written, or the disk is full.
        """
        with self._store.writer(_table) as writer:
            yield StatisticsWriter(writer)

    def compact(self, *, at_least_parts: int = 2) -> None:
        """Join small parts into large ones, as `PartStore.compact`."""
        self._store.compact(at_least_parts=at_least_parts)


class StatisticsWriter:
    """Takes rows of statistics; may be used from several threads.

    Args:
        parts: stores them.
    """

    def __init__(self, parts: PartWriter[_Row]) -> None:
        self._parts = parts

    def add(self, digest: str, statistics: PictureStatistics) -> None:
        """Take the statistics of one picture.

        Raises:
            CacheNotWritable: a part was due and could not be written.
        """
        self._parts.add((digest, statistics))


def _schema() -> "pa.Schema":
    import pyarrow as pa

    types = {
        "width": pa.int64(),
        "height": pa.int64(),
        "format": pa.string(),
        "orientation": pa.uint8(),
        "brightness": pa.float64(),
        "contrast": pa.float64(),
        "sharpness": pa.float64(),
        "difference_hash": pa.uint64(),
        "grey": pa.binary(_GREY_BYTES),  # row by row; parquet would store each pixel of a list in four bytes
    }
    return pa.schema([("digest", pa.string()), *((name, types[name]) for name in COLUMNS)])


def _table(rows: Sequence[_Row]) -> "pa.Table":
    import pyarrow as pa

    digests, statistics = zip(*rows, strict=True)
    columns = {name: [getattr(one, name) for one in statistics] for name in COLUMNS}
    columns["grey"] = [np.ascontiguousarray(grey).tobytes() for grey in columns["grey"]]
    return pa.table({"digest": digests, **columns}, schema=_schema())


def _values_of(rows: "pa.Table", name: str) -> NDArray[Any]:
    """A column as an array, with the shape and kind that it has in a `StatisticsTable`."""
    column = rows.column(name)
    if name == "grey":
        pixels = np.frombuffer(b"".join(column.to_pylist()), dtype=np.uint8)
        return pixels.reshape(-1, GREY_SIDE, GREY_SIDE)
    return np.array(column.to_pylist(), dtype="<U8") if name == "format" else column.to_numpy()
