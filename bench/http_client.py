"""Clients that account for every request: answered with what, refused, or cut off. HTTP/1.1 by hand, to cost little.

A client of ours shares the machine with the service that it measures, so it does as little as it can for a request.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

REFUSED, CUT = "refused", "cut"
PROBLEM = "urn:finial:problem:"
LIMIT_S = 60.0  # a request that gets nothing for so long hangs: that is a failure, not a fate
_BOUNDARY = "the-boundary-of-parts"
_LOST = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass(frozen=True)
class Answer:
    """A whole answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Its body, which is an object."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def fate(self) -> str:
        """`200`, or a problem's slug with its status: `503 queue-full`."""
        if self.headers.get("content-type") != "application/problem+json":
            return str(self.status)
        return f"{self.status} {self.json()['type'].removeprefix(PROBLEM)}"


@dataclass(frozen=True)
class Asked:
    """What became of one request; `sent_at` is when its last byte was handed over, in s of time.monotonic()."""

    fate: str
    sent_at: float
    seconds: float
    answer: Answer | None = None


@dataclass
class Ledger:
    """Every request that was begun, and what became of it."""

    begun: int = 0
    asked: list[Asked] = field(default_factory=list)

    @property
    def fates(self) -> Counter[str]:
        """How many requests met which fate; those in flight are not among them."""
        return Counter(each.fate for each in self.asked)

    def by_fate(self, fate: str) -> list[Asked]:
        """The requests of one fate, in the order of their ends."""
        return [each for each in self.asked if each.fate == fate]


class Line:
    """A client's connection, opened when there is something to send; opened anew when the service has closed it.

    Args:
        port: where the service listens on this machine.
        keep_alive: whether to use a connection more than once.
    """

    def __init__(self, port: int, *, keep_alive: bool = True) -> None:
        self._port, self._keep_alive = port, keep_alive
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Asked:
        """Send a request and wait for what becomes of it.

        Raises:
            TimeoutError: nothing came within LIMIT_S, not even the end of the connection.
        """
        sent_at = time.monotonic()
        try:
            reader, writer = await self._connected()
        except ConnectionError:
            return Asked(REFUSED, sent_at, time.monotonic() - sent_at)
        try:
            async with asyncio.timeout(LIMIT_S):
                writer.write(request)
                sent_at = time.monotonic()
                answer = await read_answer(reader)
        except _LOST:
            self.close()
            return Asked(CUT, sent_at, time.monotonic() - sent_at)
        if not self._keep_alive or answer.headers.get("connection") == "close":
            self.close()
        return Asked(answer.fate, sent_at, time.monotonic() - sent_at, answer)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up, if connected."""
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self._streams


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer on a connection; an interim one (100) is passed over.

    Raises:
        ConnectionError, asyncio.IncompleteReadError: the connection ended before it was whole.
    """
    head = parse_answer(await reader.readuntil(b"\r\n\r\n"))
    if head.status == 100:
        return await read_answer(reader)
    return replace(head, body=await reader.readexactly(int(head.headers["content-length"])))


def parse_answer(answer: bytes) -> Answer:
    """An answer as it came, head and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split(" ", 2)[1]), headers, body)


@contextlib.asynccontextmanager
async def asking(
    port: int, requests: Sequence[bytes], *, clients: int, keep_alive: bool = True, pause_s: float = 0.0
) -> AsyncIterator[Ledger]:
    """Clients that ask for as long as the block lasts, each as soon as it has its answer; then they come to an end.

    Args:
        port: where the service listens.
        requests: asked in turn, each client beginning with another one.
        clients: how many ask at once.
        keep_alive: whether they use a connection more than once.
        pause_s: how long a client rests after it got no answer.
    """
    ledger, enough = Ledger(), asyncio.Event()

    async def ask_on(number: int) -> None:
        with Line(port, keep_alive=keep_alive) as line:
            while not enough.is_set():
                ledger.begun += 1
                asked = await line.ask(requests[number % len(requests)])
                ledger.asked.append(asked)
                number += 1
                if asked.answer is None:
                    await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(ask_on(number))
        try:
            yield ledger
        finally:
            enough.set()


def post(body: bytes, *headers: str, path: str = "/predict", content_type: str = "image/*") -> bytes:
    """A whole request that brings a body."""
    return head_of(f"Content-Length: {len(body)}", *headers, path=path, content_type=content_type) + body


def post_form(*files: bytes, path: str = "/predict") -> bytes:
    """A whole request that brings pictures in a form."""
    opening = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
    body = b"".join(opening + data + b"\r\n" for data in files) + f"--{_BOUNDARY}--\r\n".encode()
    return post(body, path=path, content_type=f"multipart/form-data; boundary={_BOUNDARY}")


def head_of(*headers: str, path: str = "/predict", content_type: str = "image/*") -> bytes:
    """The head of a request that will bring a body."""
    lines = (f"POST {path} HTTP/1.1", "Host: it", f"Content-Type: {content_type}", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def get(path: str) -> bytes:
    """A whole request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: it\r\n\r\n".encode()
