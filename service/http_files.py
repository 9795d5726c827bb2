"""Files of a web server: asked for only if they changed, where the server tells whether they did."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlsplit, urlunsplit

from service.errors import StoreClosed, StoreUnreachable
from service.remote_files import longest_s, unreachable
from shared.addresses import shown
from shared.remote import RemotePlace

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
        """Returns the answer's headers; None when nothing changed."""
        from fsspec.asyn import sync

        whole_s = longest_s(limit, timeout_s=self._timeout_s)
        files, headers = self._place.files, {"Accept-Encoding": "identity", **conditions}
        try:
            answer: Mapping[str, str] | None = sync(
                files.loop, self._ask_unless_closed, self._url(name), take, headers, limit, timeout=whole_s
            )
        except FileNotFoundError:
            raise
        except Exception as error:
            raise unreachable(error, self._place.location, timeout_s=self._timeout_s) from error
        return answer

    async def _ask_unless_closed(
        self, url: str, take: Callable[[bytes], object], headers: Mapping[str, str], limit: int
    ) -> Mapping[str, str] | None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            if self._closed:
                raise StoreClosed
            return await self._ask(url, take, headers, limit)
        except asyncio.CancelledError:
            if not self._closed:  # by the time limit
                raise
            raise StoreClosed from None
        finally:
            self._tasks.discard(task)

    async def _ask(
        self, url: str, take: Callable[[bytes], object], headers: Mapping[str, str], limit: int
    ) -> Mapping[str, str] | None:
        session = await self._place.files.set_session()
        async with session.get(url, headers=headers) as response:
            if response.status in _ABSENT:
                raise FileNotFoundError(shown(url))
            response.raise_for_status()
            if response.status == HTTPStatus.NOT_MODIFIED:
                return None
            count = 0
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                take(piece)
                count += len(piece)
                if count > limit:
                    break
            found: Mapping[str, str] = response.headers
            return found

    def _url(self, name: str) -> str:
        parts = urlsplit(self._place.location)
        return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/{quote(name)}", parts.query, ""))


def _place_of(name: str) -> tuple[str, str]:
    """Where to remember a file: of each model one `current` and one bundle.json, whatever its version."""
    return name.partition("/")[0], name.rpartition("/")[2]
