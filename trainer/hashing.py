"""Content hashes of many files, read side by side; what is remembered is not read again."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shared.files import sha256_of_file
from trainer.progress import Progress
from trainer.stat_cache import StatCache

_READERS = 4  # hashing lets go of Python's lock, and a far disk answers several readers sooner than one
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be read, and why."""

    reason: str


def hash_files(paths: Sequence[str], cache: StatCache, *, rehash: bool, progress: Progress) -> list[str | Unreadable]:
    """SHA-256 of each file's bytes, as 64 hex digits, in the order of `paths`.

    Args:
        paths: regular files.
        cache: asked first, and told what is new; saved also when interrupted.
        rehash: do not ask it.
        progress: shows a phase named hash, if there is anything to read.
    """
    known = [None if rehash else _remembered(path, cache) for path in paths]
    unknown = [path for path, digest in zip(paths, known, strict=True) if digest is None]
    hashed = iter(_hash_all(unknown, cache, progress) if unknown else ())
    return [next(hashed) if digest is None else digest for digest in known]


def _hash_all(paths: Sequence[str], cache: StatCache, progress: Progress) -> list[str | Unreadable]:
    results: list[str | Unreadable] = []
    try:
        with progress.phase("hash", total=len(paths)) as phase, ThreadPoolExecutor(_READERS) as readers:
            for start in range(0, len(paths), _BATCH):  # all at once would hold a future for every file
                batch = paths[start : start + _BATCH]
                for path, (found, result) in zip(batch, readers.map(_hash, batch), strict=True):
                    results.append(result)
                    if found is not None and isinstance(result, str):
                        cache.remember(path, found, result)
                    phase.advance()
    finally:
        cache.save()
    return results


def _remembered(path: str, cache: StatCache) -> str | None:
    try:
        return cache.digest(path, Path(path).stat())
    except OSError:
        return None


def _hash(path: str) -> tuple[os.stat_result | None, str | Unreadable]:
    """The file's stat before it was read, and its digest."""
    try:
        return Path(path).stat(), sha256_of_file(Path(path))
    except OSError as error:
        return None, Unreadable(f"cannot be read ({error.strerror or type(error).__name__})")
