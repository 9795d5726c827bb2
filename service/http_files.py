"""Files of a web server: asked for only if they changed, where the server tells whether they did."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from service.remote_files import longest_s, unreachable
from service.store_errors import StoreClosed, StoreUnreachable
from shared.addresses import shown
from shared.remote import RemotePlace

if TYPE_CHECKING:
    from aiohttp import ClientResponse

Result = TypeVar("Result")

_PIECE_BYTES = 64 * 1024
_LONGEST_REMEMBERED_BYTES = 1024**2
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_CONDITIONS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


@dataclass(frozen=True)
class _Seen:
    """An answer, and what to ask with next time so that it is sent only if it is another one."""

    name: str
    content: bytes
    conditions: Mapping[str, str]


@dataclass
class _Patience:
    """What is left of the time that a server may take for one file, s."""

    left_s: float


class HttpFiles:
    """Files below an http(s):// address. They cannot be listed.

    Args:
        place: the address, opened; its query, which may be a signature, is part of every request.
        timeout_s: how long the server may take to begin an answer, and between two pieces of it.
    """

    def __init__(self, place: RemotePlace, *, timeout_s: float) -> None:
        self._place, self._timeout_s = place, timeout_s
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._tasks: set[asyncio.Task[object] | None] = set()  # of fsspec's loop, and touched only there

    def folders(self) -> frozenset[str]:
        """A web server's lists are made for people."""
        raise StoreUnreachable(shown(self._place.location), "a web server does not list its models; use --models a,b")

    def read(self, name: str, *, limit: int) -> bytes:
        """Asks whether it changed, and for the content only if it did, or if the server does not tell."""
        with self._lock:
            before = self._seen.get(_place_of(name))
        if before is not None and before.name != name:
            before = None
        found = bytearray()
        headers = self._get(name, found.extend, dict(before.conditions) if before else {}, limit=limit)
        if headers is None and before is not None:
            return before.content
        conditions = {ask: value for tell, ask in _CONDITIONS.items() if (value := (headers or {}).get(tell))}
        with self._lock:
            self._seen.pop(_place_of(name), None)
            if conditions and len(found) <= _LONGEST_REMEMBERED_BYTES:
                self._seen[_place_of(name)] = _Seen(name, bytes(found), conditions)
        return bytes(found)

    def doubt(self, name: str) -> None:
        """Forgets the answer and its tag."""
        with self._lock:
            self._seen.pop(_place_of(name), None)

    def fetch(self, name: str, take: Callable[[bytes], object], *, size_bytes: int) -> None:
        """One request; an answer that goes on beyond `size_bytes` is broken off."""
        self._get(name, take, {}, limit=size_bytes)

    def close(self) -> None:
        """Whoever waits for the server gets StoreClosed."""
        self._closed = True
        self._place.files.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in self._tasks:
            if task is not None:
                task.cancel()

    def _get(
        self, name: str, take: Callable[[bytes], object], conditions: Mapping[str, str], *, limit: int
    ) -> Mapping[str, str] | None:
        """Returns the answer's headers; None when nothing changed.

        `take` is called here, on the thread of whoever asks: the loop is everybody's, and a slow disk no slow server.
        """
        patience = _Patience(longest_s(limit, timeout_s=self._timeout_s))
        headers = {"Accept-Encoding": "identity", **conditions}
        response = self._wait(patience, self._begin, self._url(name), headers)
        try:
            if response.status == HTTPStatus.NOT_MODIFIED:
                return None
            count = 0
            while count <= limit and (piece := self._wait(patience, response.content.read, _PIECE_BYTES)):
                take(piece)
                count += len(piece)
            found: Mapping[str, str] = response.headers
            return found
        finally:
            self._place.files.loop.call_soon_threadsafe(response.close)

    def _wait(self, patience: "_Patience", ask: Callable[..., Awaitable[Result]], *arguments: object) -> Result:
        """Wait for the server, as long as there is patience left."""
        from fsspec.asyn import sync

        began = time.monotonic()
        try:
            answer: Result = sync(
                self._place.files.loop, self._unless_closed, ask, *arguments, timeout=max(patience.left_s, 1e-3)
            )
        except FileNotFoundError:
            raise
        except Exception as error:
            raise unreachable(error, self._place.location, timeout_s=self._timeout_s) from error
        finally:
            patience.left_s -= time.monotonic() - began
        return answer

    async def _unless_closed(self, ask: Callable[..., Awaitable[Result]], *arguments: object) -> Result:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            if self._closed:
                raise StoreClosed
            return await ask(*arguments)
        except asyncio.CancelledError:
            if not self._closed:  # by the time limit
                raise
            raise StoreClosed from None
        finally:
            self._tasks.discard(task)

    async def _begin(self, url: str, headers: Mapping[str, str]) -> "ClientResponse":
        session = await self._place.files.set_session()
        response: ClientResponse = await session.get(url, headers=headers)
        if response.status in _ABSENT:
            response.close()
            raise FileNotFoundError(shown(url))
        response.raise_for_status()
        return response

    def _url(self, name: str) -> str:
        parts = urlsplit(self._place.location)
        return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/{quote(name)}", parts.query, ""))


def _place_of(name: str) -> tuple[str, str]:
    """Where to remember a file: of each model one `current` and one bundle.json, whatever its version."""
    return name.partition("/")[0], name.rpartition("/")[2]
