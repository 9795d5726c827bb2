"""Content hashes of files that did not change: (path, size, mtime, inode) -> digest, one file per data folder.

Two runs may write it at once: each writes it whole, the last one stays, and what is lost is hashed again.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.files import sha256_of, write_atomically

_FORMAT = "finial stat cache 1"
# A file that was written a moment ago may be written again without its mtime changing; such a one is not trusted.
_COARSEST_MTIME_NS = 2 * 10**9

Key = tuple[int, int, int]
"""size in bytes, mtime in ns, inode"""


class StatCache:
    """Remembers the digests of the files below one data folder.

    Args:
        cache_dir: the cache folder, shared by all runs.
        data: the data folder, or the table that stands for it.
        warn: told when the file is damaged, and so ignored.
        clock_ns: the time of day.
    """

    def __init__(
        self, cache_dir: Path, data: Path, *, warn: Callable[[str], None], clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._file = cache_dir / "stat" / f"{sha256_of(os.fsencode(data.resolve()))[:32]}.json"
        self._clock_ns = clock_ns
        self._warn = warn
        self._known = self._read()
        self._new: dict[str, tuple[Key, str]] = {}

    def digest(self, path: Path, found: os.stat_result) -> str | None:
        """The digest of a file whose stat is `found`, if it was hashed before and is the same file still."""
        key, digest = self._known.get(_absolute(path), (None, None))
        return digest if key == _key(found) else None

    def remember(self, path: Path, found: os.stat_result, digest: str) -> None:
        """Keep a digest; `found` was taken before the file was read, so a change while reading shows."""
        if self._clock_ns() - found.st_mtime_ns > _COARSEST_MTIME_NS:
            self._new[_absolute(path)] = (_key(found), digest)

    def save(self) -> None:
        """Write what is new, if anything; a folder that cannot be written is told of, not an error."""
        if not self._new:
            return
        kept = {path: entry for path, entry in self._read().items() if os.path.lexists(path)}
        body = json.dumps({path: [*key, digest] for path, (key, digest) in {**kept, **self._new}.items()})
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, f"{_FORMAT} {sha256_of(body.encode())}\n{body}".encode())
        except OSError as error:
            self._warn(f"{self._file}: hashes cannot be remembered ({error}); the next run reads every file again.")

    def _read(self) -> dict[str, tuple[Key, str]]:
        try:
            head, _, body = self._file.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._warn(f"{self._file}: cannot be read ({error}); every file is hashed again.")
            return {}
        if head.decode(errors="replace") != f"{_FORMAT} {sha256_of(body)}":
            self._warn(f"{self._file}: damaged, and so ignored; every file is hashed again.")
            return {}
        entries: dict[str, Any] = json.loads(body)
        return {path: ((size, mtime, inode), digest) for path, (size, mtime, inode, digest) in entries.items()}


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (a link keeps its own name)


def _key(found: os.stat_result) -> Key:
    return found.st_size, found.st_mtime_ns, found.st_ino
