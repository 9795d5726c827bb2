"""Features on disk, found by what produced them: the graph's fingerprint and the picture's digest."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.part_store import PartStore, PartWriter, keys_of, matches
from trainer.rows_on_disk import RowFile

if TYPE_CHECKING:
    import pyarrow as pa

PLAIN_VIEW = "plain"
FEATURES_FOLDER = "features"

_KEY = ("digest", "view")
_Row = tuple[str, str, NDArray[np.float32]]


class FeatureCache:
    """The features of one fingerprint: parquet parts in <folder>/features/<fingerprint>/.

    Args:
        folder: the cache folder, shared by all runs.
        fingerprint: SHA-256 over everything that influences the features.
        feature_size: D, the length of a row.
        warn: told about each damaged part that was dropped; `warnings` keeps the same sentences.
    """

    def __init__(
        self, folder: Path, fingerprint: str, feature_size: int, *, warn: Callable[[str], None] | None = None
    ) -> None:
        self.folder = folder / FEATURES_FOLDER / fingerprint
        self.feature_size = feature_size
        self._store = PartStore(self.folder, _schema(feature_size), key_size=len(_KEY), warn=warn)

    @property
    def warnings(self) -> list[str]:
        """A sentence for each damaged part that was dropped."""
        return self._store.warnings

    def known(self, digests: Collection[str], view: str = PLAIN_VIEW) -> set[str]:
        """Those of `digests` whose features are stored; holds one part at a time in memory."""
        wanted = frozenset(digests)
        return {
            digest
            for rows in self._store.tables()
            for digest, row_view in keys_of(rows, _KEY)
            if row_view == view and digest in wanted
        }

    def known_views(self, digests: Collection[str]) -> dict[str, set[str]]:
        """Which views of each of `digests` are stored, the plain one among them; holds one part at a time in memory."""
        wanted, found = frozenset(digests), dict[str, set[str]]()
        for rows in self._store.tables():
            for digest, view in keys_of(rows, _KEY):
                if digest in wanted:
                    found.setdefault(digest, set()).add(view)
        return found

    def read(self, digests: Sequence[str], view: str = PLAIN_VIEW) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The stored features of `digests`, no digest twice.

        A damaged part is dropped with a warning, so that its rows are computed again.

        Returns:
            Features of shape (N, D) in the order of `digests`, and N times whether there are any; what is not stored,
            or is damaged, has zeros.
        """
        values = np.zeros((len(digests), self.feature_size), dtype=np.float32)
        found = np.zeros(len(digests), dtype=np.bool_)
        for positions, rows in self._wanted(digests, view):
            values[positions] = rows
            found[positions] = True
        return values, found

    def copy(self, digests: Sequence[str], into: RowFile, view: str = PLAIN_VIEW) -> NDArray[np.bool_]:
        """The same into a file, whose rows are in the order of `digests`; holds one part at a time in memory.

        Returns:
            N times whether there are any features.
        """
        found = np.zeros(len(digests), dtype=np.bool_)
        for positions, rows in self._wanted(digests, view):
            into.write(positions, rows)
            found[positions] = True
        return found

    def _wanted(self, digests: Sequence[str], view: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Positions in `digests`, and their features, part by part."""
        wanted: dict[tuple[str, ...], int] = {(digest, view): position for position, digest in enumerate(digests)}
        for rows in self._store.tables():
            of_part, positions = matches(rows, wanted, _KEY)
            yield positions, _features_of(rows, self.feature_size)[of_part]

    @contextlib.contextmanager
    def writer(self) -> Iterator["FeatureWriter"]:
        """A writer that stores a part every 256 rows and what is left at the end, also when interrupted.

        Raises:
            CacheNotWritable: the folder cannot be written, or the disk is full.
        """
        with self._store.writer(_table) as writer:
            yield FeatureWriter(writer, self.feature_size)

    def compact(self, *, at_least_parts: int = 2) -> None:
        """Join small parts into large ones, as `PartStore.compact`."""
        self._store.compact(at_least_parts=at_least_parts)


class FeatureWriter:
    """Takes rows of features, checked; may be used from several threads.

    Args:
        parts: stores them.
        feature_size: D, the length of a row.
    """

    def __init__(self, parts: PartWriter[_Row], feature_size: int) -> None:
        self._parts = parts
        self._feature_size = feature_size

    def add(self, digest: str, view: str, features: NDArray[np.float32]) -> None:
        """Take one row, `features` of shape (D,).

        Raises:
            ValueError: another shape, or a number that is not finite; a cache must not keep it.
            CacheNotWritable: a part was due and could not be written.
        """
        row = np.array(features, dtype=np.float32)
        if row.shape != (self._feature_size,) or not np.isfinite(row).all():
            raise ValueError(f"features of {digest}: shape {row.shape}, expected {self._feature_size} finite numbers")
        self._parts.add((digest, view, row))


def _schema(feature_size: int) -> "pa.Schema":
    import pyarrow as pa

    features = pa.list_(pa.field("element", pa.float32()), feature_size)
    return pa.schema([("digest", pa.string()), ("view", pa.string()), ("features", features)])


def _table(rows: Sequence[_Row]) -> "pa.Table":
    import pyarrow as pa

    digests, views, features = zip(*rows, strict=True)
    size = len(features[0])
    flat = pa.array(np.concatenate(features), type=pa.float32())
    columns = [pa.array(digests), pa.array(views), pa.FixedSizeListArray.from_arrays(flat, size)]
    return pa.table(columns, schema=_schema(size))


def _features_of(rows: "pa.Table", feature_size: int) -> NDArray[np.float32]:
    chunks = [chunk.flatten().to_numpy() for chunk in rows.column("features").chunks]
    flat = np.concatenate(chunks) if len(chunks) != 1 else chunks[0]
    return flat.reshape(rows.num_rows, feature_size)
