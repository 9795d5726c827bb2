"""How a connection ends with an answer: so that the client can read it.

Closing a socket while the client is still sending resets the connection, and the answer is lost on the way. So an
answer that comes before the whole body was read says `Connection: close`, and then the rest is read and dropped, within
bounds. A proxy loses the answer more easily than a client: it stops reading one whose sender has reset the connection.
"""

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.refusals import HAS_MORE

LINGER_BYTES, LINGER_S = 64 * 1024**2, 5.0

SHORT_BODY_BYTES, SHORT_BODY_S = 1024**2, 1.0
"""Such a body is read away before a refusal, so that the connection can be kept."""


class PoliteClose:
    """ASGI middleware: closes connections whose body was not read to the end, and every one while draining.

    Args:
        app: what is protected.
        is_draining: whether clients should go elsewhere with their next request.
    """

    def __init__(self, app: ASGIApp, *, is_draining: Callable[[], bool]) -> None:
        self._app, self._is_draining = app, is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, watching how much of its body is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _WatchedBody(scope, receive)

        async def send_politely(message: Message) -> None:
            if message["type"] == "http.response.start":
                if not body.complete or (self._is_draining() and not _has_more(scope)):
                    MutableHeaders(scope=message)["Connection"] = "close"
            elif not body.complete and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await _linger(body)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self._app(scope, body.receive, send_politely)


def _has_more(scope: Scope) -> bool:
    """Whether the client has sent another request already: closing would lose it."""
    return bool(scope.get("state", {}).get(HAS_MORE, bool)())


class _WatchedBody:
    """A request's body, and whether all of it has been read."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        self.complete = "transfer-encoding" not in headers and headers.get("content-length", "0") == "0"
        self._receive = receive

    async def receive(self) -> Message:
        """The next piece, or the news that the client has gone."""
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.complete = True
        return message


async def _linger(body: _WatchedBody) -> None:
    """Read on, and forget what is read; ends early where the request is cancelled, as its answer is given."""
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_S):
            while left > 0 and not body.complete:
                left -= len((await body.receive()).get("body", b""))
    except TimeoutError:
        await asyncio.sleep(0)  # an event loop that is late calls what is due before it reads what came in time
    except asyncio.CancelledError:
        if task := asyncio.current_task():
            task.uncancel()  # what is left to do is done: to send the end of the answer
