"""A connection of the client that costs little (`bench.load`): one request in flight, and where its answer ends."""

import asyncio
from collections.abc import Callable
from typing import cast

OK = 200
_LENGTH, _CHUNKED, _LAST_CHUNK = b"content-length:", b"transfer-encoding: chunked", b"0\r\n\r\n"
_CLOSE = b"connection: close"


class Connection(asyncio.Protocol):
    """A connection that has one request in flight at most.

    Args:
        request: head and body.
        on_end: told of each end: the connection, when the request was due, 0 or the status, with which it ended, and
            the answer, if it was not 200.

    Attributes:
        closes: whether the server has said that it takes no further request here.
    """

    def __init__(self, request: bytes, on_end: "Callable[[Connection, float, int, bytes], None]") -> None:
        self._request, self._on_end = request, on_end
        self._held, self._status, self._answer = b"", 0, b""
        self._missing: int | None = None
        self.due_s: float | None = None
        self.transport: asyncio.Transport | None = None
        self.closes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where requests go."""
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, due_s: float) -> None:
        """Send the request, which was due at that time.monotonic()."""
        self.due_s = due_s
        if self.transport is not None:
            self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Find the end of the answer; its status and its end are all that is looked at, and only refusals are kept."""
        if self._missing is not None:
            self._missing -= len(data)
            self._answer += data if self._status != OK else b""
        else:
            self._held += data
            head, end, rest = self._held.partition(b"\r\n\r\n")
            if not end or (is_chunked(head) and not rest.endswith(_LAST_CHUNK)):
                return
            self._status = int(head[9:12])
            self.closes = _CLOSE in head.lower()
            self._answer = self._held if self._status != OK else b""
            self._held, self._missing = b"", 0 if is_chunked(head) else length_of(head) - len(rest)
        if self._missing <= 0:
            self._missing = None
            self._end(self._status)

    def connection_lost(self, _: Exception | None) -> None:
        """A request that was in flight has failed."""
        self.transport = None
        self._held, self._missing, self._answer = b"", None, b""
        self._end(0)

    def _end(self, status: int) -> None:
        if self.due_s is not None or not status:
            due_s, self.due_s = self.due_s, None
            self._on_end(self, due_s or 0.0, status, self._answer)


def is_chunked(head: bytes) -> bool:
    """Whether the body's end is marked instead of its length told."""
    return _CHUNKED in head.lower()


def length_of(head: bytes) -> int:
    """How long the body is that follows a head.

    Raises:
        ValueError: the head does not say.
    """
    _, found, rest = head.lower().partition(_LENGTH)
    if not found:
        raise ValueError(f"an answer without Content-Length: {head[:200]!r}")
    return int(rest.partition(b"\r\n")[0])
