"""How much an archive, or a folder elsewhere, may put on the disk: a small file can claim to hold terabytes."""

import shutil
import threading
from pathlib import Path

from trainer.errors.sources import TooLarge

MOST_FILES = 2_000_000
MOST_TIMES = 200
"""An archive of pictures unpacks to about its own size; one that grows more than this is none of pictures."""
NEVER_TOO_MUCH_BYTES = 100 * 1024**2
_SHARE_OF_FREE = 0.9


class Allowance:
    """Counts files and bytes as they come, and stops before they are too many.

    Args:
        folder: where they are written; it exists.
        origin: what holds them, for the error.
        packed_bytes: the size of the archive; None where nothing is packed.

    Attributes:
        most_bytes: what may be written.
    """

    def __init__(self, folder: Path, *, origin: str, packed_bytes: int | None = None) -> None:
        self._origin, self._lock = origin, threading.Lock()
        self._files = self._bytes = self._unpacked = 0
        self._free = int(shutil.disk_usage(folder).free * _SHARE_OF_FREE)
        grown = None if packed_bytes is None else max(NEVER_TOO_MUCH_BYTES, MOST_TIMES * packed_bytes)
        self.most_bytes = self._free if grown is None else min(self._free, grown)
        self._most_unpacked = grown

    def file(self) -> None:
        """One more file.

        Raises:
            TooLarge: there are too many.
        """
        self._files += 1
        if self._files > MOST_FILES:
            raise TooLarge(self._origin, f"more than {MOST_FILES:,} files")

    def bytes(self, count: int) -> None:
        """So many more bytes, written or announced. May be called from several threads.

        Raises:
            TooLarge: they are too many.
        """
        with self._lock:
            self._bytes += count
        if self._bytes > self.most_bytes:
            why = f"more than {self.most_bytes:,} bytes unpacked, {MOST_TIMES} times the archive"
            disk = f"at least {self._bytes:,} bytes, and the disk has room for {self._free:,}"
            raise TooLarge(self._origin, disk if self.most_bytes == self._free else why)

    def unpacked(self, count: int) -> None:
        """So many more bytes of a packed stream, written or passed over: what nobody keeps takes hours as well.

        Raises:
            TooLarge: they are too many.
        """
        self._unpacked += count
        if self._most_unpacked is not None and self._unpacked > self._most_unpacked:
            raise TooLarge(self._origin, f"more than {self._most_unpacked:,} bytes, {MOST_TIMES} times the archive")
