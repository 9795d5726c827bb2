"""Limits on a request's body that act before anything parses it: its announced size, its real size, its time.

And on all bodies together: a thousand clients that each send what one may send would fill the memory.
"""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.refusals import refusal_of
from service.request_errors import TooManyUploads, UploadTooLarge, UploadTooSlow

_LIMITED = "limited_receive"


@dataclass(frozen=True)
class UploadBounds:
    """What a body may be.

    Attributes:
        max_bytes: largest body.
        max_bytes_together: all bodies that are held at once; a single one is never refused for it.
        idle_s: longest time between two pieces.
        timeout_s: longest time between the first look at the body and its last byte.
    """

    max_bytes: int
    max_bytes_together: int
    idle_s: float
    timeout_s: float


@dataclass
class HeldBodies:
    """What all requests under way have in memory.

    Attributes:
        bytes: what they have received so far. Beyond the bound others are refused for it.
        expected: what is still to come of those that a connection takes in itself; nobody is refused for that.
    """

    bytes: int = 0
    expected: int = 0


class UploadLimit:
    """ASGI middleware: reading the body raises as soon as a limit is passed, and nothing is read after that.

    It raises as well when the connection finds the body broken. A route that does not read the body is not disturbed.

    Args:
        app: what is protected.
        bounds: the limits.
        held: what all requests have in memory, also those that the app knows nothing of.
    """

    def __init__(self, app: ASGIApp, *, bounds: UploadBounds, held: HeldBodies | None = None) -> None:
        self._app, self._bounds, self._held = app, bounds, held or HeldBodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limited = _LimitedReceive(scope, receive, self._bounds, self._held)
        scope.setdefault("state", {})[_LIMITED] = limited
        try:
            await self._app(scope, limited, send)
        finally:
            self._held.bytes -= limited.held_bytes


def note_unpacked(scope: Scope, piece_bytes: int) -> None:
    """Count what was unpacked from a request's body as if it had been received: it takes as much memory.

    Raises:
        UploadTooLarge, TooManyUploads: as for a body that was sent so large.
    """
    limited: _LimitedReceive = scope["state"][_LIMITED]
    limited.note_unpacked(piece_bytes)


class _LimitedReceive:
    def __init__(self, scope: Scope, receive: Receive, bounds: UploadBounds, held: HeldBodies) -> None:
        self._scope, self._receive, self._bounds, self._held = scope, receive, bounds, held
        announced = Headers(scope=scope).get("content-length", "")
        self._announced_bytes = int(announced) if announced.isdigit() else 0
        self.received_bytes = self._unpacked_bytes = 0
        self._deadline: float | None = None
        self._complete = False

    @property
    def held_bytes(self) -> int:
        """What the request has in memory of its body."""
        return self.received_bytes + self._unpacked_bytes

    def note_unpacked(self, piece_bytes: int) -> None:
        """As the function of this name."""
        self._unpacked_bytes += piece_bytes
        self._held.bytes += piece_bytes
        self._check(self._unpacked_bytes, f"unpacked at least {self._unpacked_bytes:,}")

    async def __call__(self) -> Message:
        if self._complete:  # what is left to receive is the client's departure, which may take its time
            return await self._receive()
        self._check(self._announced_bytes, f"{self._announced_bytes:,}")
        message = await self._receive_in_time()
        if error := refusal_of(self._scope):
            raise error
        piece_bytes = len(message.get("body", b""))
        self.received_bytes += piece_bytes
        self._held.bytes += piece_bytes
        self._check(self.received_bytes, f"at least {self.received_bytes:,}")
        self._complete = not message.get("more_body", False)
        return message

    def _check(self, own_bytes: int, found: str) -> None:
        if own_bytes > self._bounds.max_bytes:
            raise UploadTooLarge(found=found, max_bytes=self._bounds.max_bytes)
        others_bytes = self._held.bytes - self.held_bytes
        if others_bytes > 0 and own_bytes + others_bytes > self._bounds.max_bytes_together:
            raise TooManyUploads(max_bytes=self._bounds.max_bytes_together)

    async def _receive_in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._bounds.timeout_s
        idle_until = now + self._bounds.idle_s
        try:
            async with asyncio.timeout_at(min(self._deadline, idle_until)):
                return await self._receive()
        except TimeoutError as error:
            if idle_until < self._deadline:
                raise UploadTooSlow(waited_s=self._bounds.idle_s, is_silent=True) from error
            raise UploadTooSlow(waited_s=self._bounds.timeout_s) from error
