"""Limits on a request's body that act before anything parses it: its announced size, its real size, its time."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import UploadTooLarge, UploadTooSlow


class UploadLimit:
    """ASGI middleware: reading the body raises as soon as a limit is passed, and nothing is read after that.

    A route that does not read the body is not disturbed.

    Args:
        app: what is protected.
        max_bytes: largest body.
        timeout_s: longest time between the first look at the body and its last byte.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout_s: float) -> None:
        self._app, self._max_bytes, self._timeout_s = app, max_bytes, timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that counts."""
        if scope["type"] == "http":
            receive = _LimitedReceive(scope, receive, max_bytes=self._max_bytes, timeout_s=self._timeout_s)
        await self._app(scope, receive, send)


class _LimitedReceive:
    def __init__(self, scope: Scope, receive: Receive, *, max_bytes: int, timeout_s: float) -> None:
        self._receive, self._max_bytes, self._timeout_s = receive, max_bytes, timeout_s
        announced = Headers(scope=scope).get("content-length", "")
        self._announced_bytes = int(announced) if announced.isdigit() else 0
        self._received_bytes = 0
        self._deadline: float | None = None
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:  # what is left to receive is the client's departure, which may take its time
            return await self._receive()
        if self._announced_bytes > self._max_bytes:
            raise UploadTooLarge(found=f"{self._announced_bytes:,}", max_bytes=self._max_bytes)
        message = await self._receive_in_time()
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self._max_bytes:
            raise UploadTooLarge(found=f"at least {self._received_bytes:,}", max_bytes=self._max_bytes)
        self._complete = not message.get("more_body", False)
        return message

    async def _receive_in_time(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as error:
            raise UploadTooSlow(waited_s=self._timeout_s) from error
