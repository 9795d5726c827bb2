"""A problem as bytes of HTTP, made once for each that occurs: what `problems` would answer, without the app's work."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.errors import ServiceError
from service.open_inference.form import PREFIX, speaks_open_inference
from service.problems import Kind, kind_of, respond

_STAND_IN = "the-request-id-goes-here"


@dataclass(frozen=True)
class ReadyMade:
    """An answer in which only the request's id, the date and the connection's fate are left open.

    Attributes:
        status: HTTP's.
        slug: the problem's name.
    """

    status: int
    slug: str
    _headers: bytes
    _body: bytes

    def written(self, request_id: str, *, server_headers: Iterable[tuple[bytes, bytes]], closes: bool) -> bytes:
        """The whole answer, byte for byte as uvicorn would write it.

        Args:
            request_id: a sane one: it is put into JSON and headers as it is.
            server_headers: which every answer begins with (the date).
            closes: whether the connection is closed after it.
        """
        named = {b"id": request_id.encode()}
        body = self._body % named
        first = [name + b": " + value + b"\r\n" for name, value in server_headers]
        last = b"connection: close\r\n\r\n" if closes else b"\r\n"
        headers = self._headers % {**named, b"length": len(body)}
        return b"".join((STATUS_LINE[self.status], *first, headers, last, body))


def ready_made(error: ServiceError, path: str = "") -> ReadyMade:
    """The answer to a request that is refused for an error; kept for the next one that is refused for the same.

    Args:
        error: why it is refused.
        path: where it wanted to go: the form of the answer depends on it.
    """
    prefix = PREFIX if speaks_open_inference(path) else ""
    return _made(kind_of(error), str(error), tuple(error.headers.items()), prefix)


@functools.lru_cache(maxsize=256)
def _made(kind: Kind, detail: str, more_headers: tuple[tuple[str, str], ...], path: str) -> ReadyMade:
    scope = {"type": "http", "path": path, "state": {"request_id": _STAND_IN}}
    answer = respond(kind, detail, scope, dict(more_headers))
    headers = [
        name + b": " + (b"%(length)d" if name == b"content-length" else _with_place(value)) + b"\r\n"
        for name, value in answer.raw_headers
    ]
    return ReadyMade(kind.status, kind.slug, b"".join(headers), _with_place(bytes(answer.body)))


def _with_place(text: bytes) -> bytes:
    return text.replace(b"%", b"%%").replace(_STAND_IN.encode(), b"%(id)b")
