"""Features on disk, found by what produced them: the graph's fingerprint and the picture's digest.

Runs may share a cache: parts are only ever added whole, equal rows twice are legal, and a killed run loses at most
the part it had not written yet.
"""

import contextlib
import fcntl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.errors import CacheNotWritable, FeaturePartDamaged
from trainer.feature_part import FeatureRows, list_parts, list_unfinished, read_part, write_part

PLAIN_VIEW = "plain"

_ROWS_PER_PART = 256
_COMPACTED_PART_BYTES = 32 * 1024**2
_ABANDONED_AFTER_S = 24 * 3600.0


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
        self.folder = folder / "features" / fingerprint
        self.feature_size = feature_size
        self.warnings: list[str] = []
        self._warn = warn

    def known(self, digests: Collection[str], view: str = PLAIN_VIEW) -> set[str]:
        """Those of `digests` whose features are stored; holds one part at a time in memory."""
        wanted = frozenset(digests)
        return {
            digest
            for rows in self._read_parts()
            for digest, row_view in zip(rows.digests, rows.views, strict=True)
            if row_view == view and digest in wanted
        }

    def read(self, digests: Collection[str], view: str = PLAIN_VIEW) -> dict[str, NDArray[np.float32]]:
        """The stored features of `digests`, each of shape (D,); what is not stored, or is damaged, is left out.

        A damaged part is dropped with a warning, so that its rows are computed again.
        """
        wanted = frozenset(digests)
        found: dict[str, NDArray[np.float32]] = {}
        for rows in self._read_parts():
            chosen = [
                index
                for index, (digest, row_view) in enumerate(zip(rows.digests, rows.views, strict=True))
                if row_view == view and digest in wanted
            ]
            features = rows.features[chosen]  # a copy: the rest of the part need not stay in memory
            found.update(zip((rows.digests[index] for index in chosen), features, strict=True))
        return found

    @contextlib.contextmanager
    def writer(self) -> Iterator["FeatureWriter"]:
        """A writer that stores a part every 256 rows and what is left at the end, also when interrupted.

        Raises:
            CacheNotWritable: the folder cannot be written, or the disk is full.
        """
        with _writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(self.folder)
        writer = FeatureWriter(self.folder, self.feature_size)
        try:
            yield writer
        finally:
            writer.flush()

    def compact(self, *, at_least_parts: int = 2) -> None:
        """Join small parts into large ones, unless another program is at it; writes before it deletes.

        Args:
            at_least_parts: with fewer parts than that, nothing is done.

        Raises:
            CacheNotWritable: the folder cannot be written, or the disk is full; nothing was lost.
        """
        if not self.folder.is_dir() or len(list_parts(self.folder)) < at_least_parts:
            return
        with _writable(self.folder), _sole_compactor(self.folder) as sole:
            if sole:
                self._join_small_parts(most_rows=max(1, _COMPACTED_PART_BYTES // (4 * self.feature_size)))

    def _join_small_parts(self, *, most_rows: int) -> None:
        batch: list[FeatureRows] = []
        paths: list[Path] = []
        for path in list_parts(self.folder):
            rows = self._read_or_drop(path)
            if rows is None or 2 * len(rows) > most_rows:
                continue
            if sum(map(len, batch)) + len(rows) > most_rows:
                _replace_parts(self.folder, paths, batch)
                batch, paths = [], []
            batch.append(rows)
            paths.append(path)
        _replace_parts(self.folder, paths, batch)

    def _read_parts(self) -> Iterator[FeatureRows]:
        """Every part once; looks again until none is new, because a compaction may replace parts meanwhile."""
        seen: set[str] = set()
        while fresh := [path for path in list_parts(self.folder) if path.name not in seen]:
            for path in fresh:
                seen.add(path.name)
                rows = self._read_or_drop(path)
                if rows is not None:
                    yield rows

    def _read_or_drop(self, path: Path) -> FeatureRows | None:
        try:
            return read_part(path, self.feature_size)
        except FileNotFoundError:  # compacted away since it was listed
            return None
        except FeaturePartDamaged as error:
            self._tell(str(error))
            with contextlib.suppress(OSError):  # in a read-only cache it stays, and is passed over again next time
                path.unlink()
        except OSError as error:
            self._tell(f"{path}: part of the feature cache passed over ({error}); its features are computed again.")
        return None

    def _tell(self, sentence: str) -> None:
        self.warnings.append(sentence)
        if self._warn is not None:
            self._warn(sentence)


class FeatureWriter:
    """Collects rows and stores them part by part; may be used from several threads.

    Args:
        folder: where the parts go; it exists.
        feature_size: D, the length of a row.
    """

    def __init__(self, folder: Path, feature_size: int) -> None:
        self._folder = folder
        self._feature_size = feature_size
        self._rows: list[tuple[str, str, NDArray[np.float32]]] = []
        self._lock = threading.Lock()

    def add(self, digest: str, view: str, features: NDArray[np.float32]) -> None:
        """Take one row, `features` of shape (D,).

        Raises:
            ValueError: the row has another length, or holds a number that is not finite; a cache must not keep it.
            CacheNotWritable: a part was due and could not be written.
        """
        row = np.array(features, dtype=np.float32)
        if row.shape != (self._feature_size,) or not np.isfinite(row).all():
            raise ValueError(f"features of {digest}: shape {row.shape}, expected {self._feature_size} finite numbers")
        with self._lock:
            self._rows.append((digest, view, row))
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
        digests, views, features = zip(*self._rows, strict=True)
        with _writable(self._folder):
            write_part(self._folder, FeatureRows(digests=digests, views=views, features=np.stack(features)))
        self._rows = []


def _replace_parts(folder: Path, paths: Sequence[Path], batch: Sequence[FeatureRows]) -> None:
    if len(batch) < 2:
        return
    joined = write_part(folder, _join(batch))
    for path in paths:
        if path != joined:
            path.unlink(missing_ok=True)


def _join(batch: Sequence[FeatureRows]) -> FeatureRows:
    """All rows, each (digest, view) once."""
    digests = [digest for rows in batch for digest in rows.digests]
    views = [view for rows in batch for view in rows.views]
    keep = sorted({key: index for index, key in enumerate(zip(digests, views, strict=True))}.values())
    features = np.concatenate([rows.features for rows in batch])[keep]
    return FeatureRows(tuple(digests[index] for index in keep), tuple(views[index] for index in keep), features)


@contextlib.contextmanager
def _sole_compactor(folder: Path) -> Iterator[bool]:
    with (folder / ".compaction-lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True  # closing the file gives the lock back


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheNotWritable(folder, str(error)) from error


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed runs left half-written; a part takes milliseconds, so a day old is abandoned."""
    for path in list_unfinished(folder):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                path.unlink()
