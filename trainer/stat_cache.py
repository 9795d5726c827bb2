"""Content hashes of files that did not change: (path, size, mtime, inode) -> digest, one file per data folder.

Two runs may write it at once: each writes it whole, the last one stays, and what is lost is hashed again.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.files import sha256_of, write_atomically

STAT_FOLDER = "stat"

_FORMAT = "finial stat cache 1"
# A file that was written a moment ago may be written again without its mtime changing; such a one is not trusted.
_COARSEST_MTIME_NS = 2 * 10**9


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
        self._file = cache_dir / STAT_FOLDER / f"{sha256_of(os.fsencode(data.resolve()))[:32]}.txt"
        self._clock_ns = clock_ns
        self._warn = warn
        self._known = _Lines(self._read())
        self._new = bytearray()  # lines; 100,000 of them as objects would stay with the program when they are gone

    def digest(self, path: str | Path, found: os.stat_result) -> str | None:
        """The digest of a file whose stat is `found`, if it was hashed before and is the same file still."""
        return self._known.digest(_subject(path, found))

    def remember(self, path: str | Path, found: os.stat_result, digest: str) -> None:
        """Keep a digest; `found` was taken before the file was read, so a change while reading shows."""
        if self._clock_ns() - found.st_mtime_ns > _COARSEST_MTIME_NS:
            self._new += f"{digest} {_subject(path, found)}\n".encode()

    def save(self) -> None:
        """Write what is new, if anything; a folder that cannot be written is told of, not an error."""
        if not self._new:
            return
        body = self._kept() + self._new
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, f"{_FORMAT} {sha256_of(body)}\n".encode() + body)
        except OSError as error:
            self._warn(f"{self._file}: hashes cannot be remembered ({error}); the next run reads every file again.")

    def _kept(self) -> bytes:
        """What any run wrote meanwhile, without what is new of the same files and without files that are gone."""
        before = self._read()
        new = {_path_in(line) for line in _lines_of(self._new)} if before else set()
        paths = ((line, _path_in(line)) for line in _lines_of(before))
        return b"".join(line + b"\n" for line, path in paths if path not in new and os.path.lexists(json.loads(path)))

    def _read(self) -> bytes:
        try:
            head, _, body = self._file.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return b""
        except OSError as error:
            self._warn(f"{self._file}: cannot be read ({error}); every file is hashed again.")
            return b""
        if not _vouches(head, body):
            self._warn(f"{self._file}: damaged, and so ignored; every file is hashed again.")
            return b""
        return body


def is_whole_stat_file(path: Path) -> bool:
    """Whether the first line of a file vouches for the rest.

    Raises:
        OSError: it cannot be read.
    """
    head, _, body = path.read_bytes().partition(b"\n")
    return _vouches(head, body)


def _vouches(head: bytes, body: bytes) -> bool:
    return head.decode(errors="replace") == f"{_FORMAT} {sha256_of(body)}"


class _Lines:
    """Finds a line by what it is about. Keeps bytes and positions: 100,000 lines as objects would take 50 MB more."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._starts = {hash(body[start + 65 : end]): start for start, end in _places_of_lines(body)}

    def digest(self, subject: str) -> str | None:
        wanted = subject.encode()
        start = self._starts.get(hash(wanted))
        if start is None or self._body[start + 65 : start + 65 + len(wanted) + 1].rstrip(b"\n") != wanted:
            return None
        return self._body[start : start + 64].decode()


def _subject(path: str | Path, found: os.stat_result) -> str:
    """What a digest is about: size in bytes, mtime in ns, inode, and the path in JSON, which any name fits in."""
    absolute = os.path.abspath(path)  # noqa: PTH100 (a link keeps its own name)
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino} {json.dumps(absolute)}"


def _lines_of(body: bytes | bytearray) -> Iterator[bytes]:
    """One after the other, without their ends."""
    return (bytes(body[start:end]) for start, end in _places_of_lines(body))


def _places_of_lines(body: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Where each begins and ends; the last one may have no end of line."""
    start = 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        yield start, end
        start = end + 1


def _path_in(line: bytes) -> bytes:
    return line.split(b" ", 4)[4]
