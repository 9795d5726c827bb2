"""A file by which the workers of a run know its cache, and other files that make a disk look again."""

import contextlib
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainer.part_store import writable
from trainer.row_store import Caches

_NAME = re.compile(r"\.ray-run-[0-9a-f]{16}")
_ABANDONED_AFTER_S = 14 * 86_400.0  # no run lasts as long, and those of killed runs would stay for ever


@contextlib.contextmanager
def marked(caches: Caches) -> Iterator[str]:
    """A file in the cache, relative to it, by which workers see that theirs is the same; removed afterwards.

    Raises:
        CacheNotWritable: the folder cannot be written.
    """
    folder = caches.features.folder
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        marker = _new_in(folder)
    try:
        yield marker.relative_to(caches.cache_dir).as_posix()
    finally:
        marker.unlink(missing_ok=True)


def look_again(folders: Sequence[Path]) -> None:
    """Change folders, so that a network disk lists what others have written, not what it remembers of before.

    A client of NFS keeps the names of a folder until it learns that the folder has changed, and what it changes itself
    it knows at once (RFC 1813, 3.3.8: the answer tells the folder's new times).

    Raises:
        CacheNotWritable: one of them cannot be written.
    """
    for folder in folders:
        if folder.is_dir():
            with writable(folder):
                _new_in(folder).unlink()


def _new_in(folder: Path) -> Path:
    path = folder / f".ray-run-{secrets.token_hex(8)}"
    path.touch()
    return path


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(".ray-run-*"):
        with contextlib.suppress(OSError):  # somebody else was quicker
            if _NAME.fullmatch(path.name) and time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                path.unlink()
