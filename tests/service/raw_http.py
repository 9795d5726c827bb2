"""HTTP by hand: what a client may send that no HTTP library would, and what it gets back."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire; `header_lines` are its headers as they stand there."""

    status: int
    headers: dict[str, str]
    body: bytes
    header_lines: tuple[str, ...]

    @property
    def problem(self) -> str:
        """The last word of the problem's type, or "" where the answer is none."""
        if self.headers.get("content-type") != "application/problem+json":
            return ""
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        assert found["request_id"] == self.headers["x-request-id"] != ""
        return str(found["type"]).rpartition(":")[2]

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class RawClient:
    """A socket, and the answers that come over it."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = b""

    def send(self, *pieces: bytes) -> None:
        self.socket.sendall(b"".join(pieces))

    def drip(self, data: bytes, *, every_s: float) -> None:
        """One byte after the other, until all are sent or the other side has closed."""
        for byte in data:
            try:
                self.socket.sendall(bytes([byte]))
            except OSError:
                return
            time.sleep(every_s)

    def half_close(self) -> None:
        """Send no more, but read on."""
        self.socket.shutdown(socket.SHUT_WR)

    def answer(self) -> Answer:
        """The next one; of interim answers only the last `100 Continue` is skipped, by `expect_continue`."""
        head = self._read_until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        version, status, *_ = status_line.split(" ")
        assert version == "HTTP/1.1"
        body = self._read_exactly(int(headers.get("content-length", "0")))
        return Answer(int(status), headers, body, tuple(lines))

    def is_closed(self) -> bool:
        """Wait until the other side closes; whether it said nothing more before."""
        try:
            return self._buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._receive()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _read_exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def _receive(self) -> None:
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError(f"closed after {self._buffer!r}")
        self._buffer += piece


@contextmanager
def connected(port: int) -> Iterator[RawClient]:
    """A fresh connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        yield RawClient(connection)


def head(*headers: str, line: str = "POST /predict HTTP/1.1", host: str | None = "it") -> bytes:
    """A request's head; a raw picture unless said otherwise."""
    lines = [line, *([f"Host: {host}"] if host else []), "Content-Type: image/png", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


def chunked(*pieces: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """A body in chunks."""
    chunks = [b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces]
    return b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"


LIVE = head(line="GET /health/live HTTP/1.1")
