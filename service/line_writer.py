"""Writes lines from a thread of its own: a reader who does not read holds up nobody else.

A pipe whose reader sleeps is full after 64 KiB, and a write to it then waits for ever: that must not be the event
loop's. So lines wait in memory, a bounded number of bytes; beyond that they are lost, counted, and the loss is told.

A line may come at any moment: the collector runs finalisers wherever something is allocated, also in here, and they may
log. So whatever is locked here may be entered again by the thread that holds it, and a line in between does no harm.
"""

import os
import queue
import select
import threading
import time
from collections import deque
from collections.abc import Callable

MAX_WAITING = 4 * 1024**2
"""Bytes that may wait to be written."""

GATHER_S = 0.01
"""Pause between writes. Woken for each line alone, the thread would take the interpreter from those who work."""

_AT_ONCE = select.PIPE_BUF
"""Bytes that a pipe takes as a whole; several processes may write to it."""


class LineWriter:
    """Lines on their way out, in the order in which they came.

    Args:
        write: takes bytes, as long as that takes; an OSError loses them.
        of_lost: the line that says how many were lost, called with a lock held.
        max_waiting: bytes that may wait.
    """

    def __init__(
        self, write: Callable[[bytes], object], *, of_lost: Callable[[int], str], max_waiting: int = MAX_WAITING
    ) -> None:
        self._write, self._of_lost, self._max_waiting = write, of_lost, max_waiting
        self._lock = threading.RLock()
        self._lines: deque[bytes] = deque()
        self._waiting = self._lost = 0
        self._is_writing = self._is_awake = False
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()  # an Event holds a lock that cannot be entered again
        threading.Thread(target=self._work, name="log", daemon=True).start()

    def put(self, line: str) -> None:
        """Hand in a line, without its end; never waits."""
        data = _with_end(line)
        size = len(data)
        with self._lock:
            if self._waiting + size > self._max_waiting:
                self._lost += 1
                return
            self._lines.append(data)
            self._waiting += size
        if not self._is_awake:
            self._is_awake = True
            self._wake.put(None)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written. Returns whether it was, in this time."""
        deadline = time.monotonic() + timeout_s
        while self._has_work() and time.monotonic() < deadline:
            time.sleep(GATHER_S / 4)
        return not self._has_work()

    def _has_work(self) -> bool:
        with self._lock:
            return bool(self._lines) or self._is_writing

    def _work(self) -> None:
        while True:
            self._wake.get()
            self._is_awake = False
            while True:
                lines, told = self._take()
                if not lines:
                    break
                try:
                    self._write(b"".join(lines))
                except OSError:  # the reader has gone, or the disk is full
                    self._lose(told + len(lines) - bool(told))
            time.sleep(GATHER_S)

    def _take(self) -> tuple[list[bytes], int]:
        """The next lines, as many as can be written at once; and before them how many were lost, which comes second."""
        with self._lock:
            taken: list[bytes] = []
            told = self._lost if self._lines else 0
            if told:
                taken = [_with_end(self._of_lost(told))]
                self._lost -= told
            room = _AT_ONCE - sum(map(len, taken))
            while self._lines and (not taken or len(self._lines[0]) <= room):
                size = len(self._lines[0])
                taken.append(self._lines.popleft())
                self._waiting -= size
                room -= size
            self._is_writing = bool(taken)
            return taken, told

    def _lose(self, count: int) -> None:
        with self._lock:
            self._lost += count


def write_to(descriptor: int, data: bytes) -> None:
    """Write all of it, however little is taken at a time.

    Raises:
        OSError: it cannot be written.
    """
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # whoever shares it has made it so
            select.select([], [descriptor], [], 1.0)


def _with_end(line: str) -> bytes:
    return f"{line}\n".encode(errors="backslashreplace")
