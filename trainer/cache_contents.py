"""What lies in a cache folder: features, statistics, graphs, hashes, unpacked data; and whether each is whole."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from shared.files import sha256_of_file
from trainer.cache_description import last_used, read_description
from trainer.data_folder import is_archive_home, list_data
from trainer.data_leftovers import list_leftovers
from trainer.errors.caches import CachePartDamaged
from trainer.feature_cache import FEATURES_FOLDER
from trainer.graph_store import GRAPHS_FOLDER
from trainer.part_file import digests_in, list_parts
from trainer.part_file import list_abandoned as list_abandoned_in
from trainer.stat_cache import STAT_FOLDER, is_whole_stat_file
from trainer.statistics_cache import STATISTICS_FOLDER
from trainer.unpacked_listing import read_whole

Kind = Literal["features", "statistics", "graph", "hashes", "data"]

_FOLDERS: dict[str, Kind] = {FEATURES_FOLDER: "features", STATISTICS_FOLDER: "statistics"}
_FILES: dict[str, tuple[Kind, str]] = {GRAPHS_FOLDER: ("graph", "*.onnx"), STAT_FOLDER: ("hashes", "*.txt")}


@dataclass(frozen=True)
class CacheEntry:
    """One thing that is kept: the parts of a fingerprint, a graph, remembered hashes, or data unpacked or fetched.

    Attributes:
        kind: what it is.
        path: its folder or file.
        files: what it consists of, unfinished files left out.
        size_bytes: of these files.
        last_used: in seconds since 1970.
        description: what was noted about it.
    """

    kind: Kind
    path: Path
    files: tuple[Path, ...]
    size_bytes: int
    last_used: float
    description: dict[str, Any]

    @property
    def name(self) -> str:
        """What --fingerprint calls it."""
        return self.path.stem if self.path.suffix else self.path.name

    def count_pictures(self) -> int | None:
        """Different pictures in the parts, damaged ones left out; None for what has no parts."""
        if self.kind not in ("features", "statistics"):
            return None
        digests: set[str] = set()
        for path in self.files:
            with contextlib.suppress(OSError, CachePartDamaged):
                digests.update(digests_in(path))
        return len(digests)


@dataclass(frozen=True)
class DamagedFile:
    """A file that is not what its name, or its first line, says."""

    path: Path
    detail: str


def read_contents(cache_dir: Path) -> list[CacheEntry]:
    """Everything in a cache folder, in a fixed order; nothing for a folder that is not there."""
    folders = [
        _entry(kind, folder, list_parts(folder))
        for name, kind in _FOLDERS.items()
        for folder in sorted((cache_dir / name).glob("*"))
        if folder.is_dir()
    ]
    data = [
        _entry("data", folder, [path for path in sorted(folder.rglob("*")) if path.is_file()])
        for folder in list_data(cache_dir)
    ]
    files = [
        _entry(kind, path, [path])
        for name, (kind, pattern) in _FILES.items()
        for path in sorted((cache_dir / name).glob(pattern))
    ]
    backbones = {entry.description.get("graph"): entry.description.get("backbone") for entry in folders}
    return folders + [_with_backbone(entry, backbones) for entry in files] + data


def list_abandoned(cache_dir: Path) -> list[Path]:
    """What killed runs left half-written: files (those of the last hour may still be written), and folders of data."""
    folders = [folder for name in _FOLDERS for folder in sorted((cache_dir / name).glob("*"))]
    files = [path for one in (*folders, *(cache_dir / name for name in _FILES)) for path in list_abandoned_in(one)]
    return files + list_leftovers(cache_dir)


def find_damaged(entry: CacheEntry) -> Iterator[DamagedFile | None]:
    """For each file of an entry, in order: what is wrong with it, or None; for data that of the whole comes last."""
    if entry.kind == "data":
        yield from (None for _ in entry.files[1:])
        yield _find_wrong_data(entry)
        return
    for path in entry.files:
        try:
            yield None if _is_whole(entry.kind, path) else DamagedFile(path, "its bytes are not those it promises")
        except FileNotFoundError:  # a run has tidied up meanwhile
            yield None
        except OSError as error:
            yield DamagedFile(path, f"cannot be read: {error.strerror or error}")


def _find_wrong_data(entry: CacheEntry) -> DamagedFile | None:
    """Names and sizes of what was unpacked; contents are hashed when they are read, and recognised by that."""
    wrong = read_whole(entry.path) if is_archive_home(entry.path) else None
    return DamagedFile(entry.path, wrong) if isinstance(wrong, str) and entry.path.exists() else None


def _is_whole(kind: Kind, path: Path) -> bool:
    if kind == "hashes":
        return is_whole_stat_file(path)
    return path.stem.rpartition("-")[2] == sha256_of_file(path)  # part-<SHA-256>.parquet, <key>-<SHA-256>.onnx


def _entry(kind: Kind, path: Path, files: list[Path]) -> CacheEntry:
    folder = path.is_dir()
    return CacheEntry(
        kind=kind,
        path=path,
        files=tuple(files),
        size_bytes=sum(map(_size, files)),
        last_used=last_used(path) if folder else path.stat().st_mtime,
        description=read_description(path) if folder else {},
    )


def _with_backbone(entry: CacheEntry, backbones: Mapping[str | None, str | None]) -> CacheEntry:
    """A graph is named after its key and its content; whoever computed features with it noted whose it is."""
    backbone = backbones.get(entry.name.rpartition("-")[2]) if entry.kind == "graph" else None
    return replace(entry, description={"backbone": backbone}) if backbone else entry


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
