"""Follows the file of keys: who is added may come in a second later, and who is removed may not; no restart."""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from service.access_errors import KeyFileInvalid
from service.key_file import parse_keys, text_of
from service.key_ring import KeyRing

LOOK_EVERY_S = 1.0
SETTLE_S = 0.05

_JOIN_S = 1.0

logger = logging.getLogger(__name__)


def what_others_may(mode: int, *, as_group: bool) -> str | None:
    """`write` or `read`, where a file's mode lets others do so.

    Args:
        mode: of the file.
        as_group: whether the service itself reads it as one of its group, and is not its owner: so it is with a Secret
            of Kubernetes (mode 0440, root's), and the group's right to read is then nobody else's.
    """
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "write"
    readers = stat.S_IROTH if as_group else stat.S_IRGRP | stat.S_IROTH
    return "read" if mode & readers else None


class KeyFollower:
    """A thread that reads the file again and again. A file that cannot be used changes nothing, and that is logged.

    Where it cannot be used from the beginning, no key is known, and so nobody is let in.

    Args:
        path: of the file; a link is followed at each look.
        interval_s: time between two looks.
        settle_s: how long a file that lacks keys must stay as it is before they are taken out.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        path: Path,
        *,
        interval_s: float = LOOK_EVERY_S,
        settle_s: float = SETTLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._interval_s, self._settle_s, self._clock = path, interval_s, settle_s, clock
        self._good_at = clock()
        self._ring = KeyRing({})
        self._text: str | None = None
        self._refused: str | None = None
        self._complaint = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self.look()
        self._warn_of_others()

    @property
    def ring(self) -> KeyRing:
        """The keys of the last reading that could be used."""
        return self._ring

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=_JOIN_S)  # one that hangs in a file system is left behind

    @property
    def age_s(self) -> float:
        """Seconds since the file could last be used; it grows where it is broken or gone, or where reading hangs."""
        return max(0.0, self._clock() - self._good_at)

    def look(self) -> None:
        """Read the file once, and take its keys if it is another one. Nothing that is found raises."""
        try:
            if self._look():
                self._complaint, self._good_at = "", self._clock()
        except KeyFileInvalid as error:
            self._complain(str(error))

    def _look(self) -> bool:
        """Whether the file is as it must be. Raises KeyFileInvalid: it is not, and that was not known."""
        text = text_of(self._path)
        if text == self._refused:  # known to be bad; to find out again each second may take long
            return False
        self._refused = None
        if text == self._text:
            return True
        self._refused = text
        ring = KeyRing(parse_keys(self._path, text))
        self._refused = None
        if self._ring.names - ring.names and not self._is_settled(text):
            return True  # the next look sees more
        self._take(ring)
        self._text = text
        return True

    def _is_settled(self, text: str) -> bool:
        """Whether it is still the same a moment later: who writes in place shows a part of the keys meanwhile."""
        self._stop.wait(self._settle_s)
        return text_of(self._path) == text

    def _take(self, ring: KeyRing) -> None:
        before, self._ring = self._ring, ring
        added, removed = sorted(ring.names - before.names), sorted(before.names - ring.names)
        level = logging.WARNING if removed else logging.INFO
        logger.log(level, "keys read", extra={"keys": len(ring.names), "added": added, "removed": removed})

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:  # once, and not every second
            self._complaint = complaint
            logger.error("keys not read", extra={"error": complaint, "keys_kept": len(self._ring.names)})

    def _warn_of_others(self) -> None:
        try:
            found = self._path.stat()
        except OSError:
            return
        as_group = found.st_uid != os.geteuid() and found.st_gid in {os.getegid(), *os.getgroups()}
        if others := what_others_may(found.st_mode, as_group=as_group):
            logger.warning(f"others may {others} the file of keys: chmod 600", extra={"path": str(self._path)})

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self.look()
            except Exception:  # a thread that dies would let in, for ever, who was let in last
                logger.exception("look at the keys failed")
