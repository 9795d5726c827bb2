"""Content hashes of many files, read side by side; what is remembered is not read again."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from shared.files import sha256_of_file
from trainer.progress import Progress
from trainer.stat_cache import StatCache

_READERS = 4  # hashing lets go of Python's lock, and a far disk answers several readers sooner than one
_BATCH = 512


def hash_files(
    paths: Sequence[Path], cache: StatCache, *, rehash: bool, progress: Progress
) -> tuple[dict[Path, str], dict[Path, str]]:
    """SHA-256 of each file's bytes, as 64 hex digits.

    Args:
        paths: regular files.
        cache: asked first, and told what is new; saved also when interrupted.
        rehash: do not ask it.
        progress: shows a phase named hash, if there is anything to read.

    Returns:
        Digests by path; and for files that could not be read, the reason.
    """
    digests: dict[Path, str] = {}
    unreadable: dict[Path, str] = {}
    unknown: list[Path] = []
    for path in paths:
        digest = None if rehash else _remembered(path, cache)
        if digest is None:
            unknown.append(path)
        else:
            digests[path] = digest
    if not unknown:
        return digests, unreadable
    waiting = iter(unknown)
    try:
        with progress.phase("hash", total=len(unknown)) as phase, ThreadPoolExecutor(_READERS) as readers:
            while batch := list(islice(waiting, _BATCH)):  # all at once would hold a future for every file
                for path, (found, result) in zip(batch, readers.map(_hash, batch), strict=True):
                    if found is None:
                        unreadable[path] = result
                    else:
                        digests[path] = result
                        cache.remember(path, found, result)
                    phase.advance()
    finally:
        cache.save()
    return digests, unreadable


def _remembered(path: Path, cache: StatCache) -> str | None:
    try:
        return cache.digest(path, path.stat())
    except OSError:
        return None


def _hash(path: Path) -> tuple[os.stat_result | None, str]:
    """The file's stat before reading and its digest; or no stat, and the reason."""
    try:
        return path.stat(), sha256_of_file(path)
    except OSError as error:
        return None, f"cannot be read ({error.strerror or type(error).__name__})"
