"""An ASGI application, request and client made by hand, for rooms that stand between the two."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def scope_of(*headers: tuple[str, str], method: str = "POST", path: str = "/predict") -> Scope:
    """What a server says of a request before its body."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw}


@dataclass
class Client:
    """Sends a body piece by piece, then nothing, and keeps what it is answered."""

    pieces: Sequence[bytes] = ()
    stays_silent: bool = False
    read: int = 0
    sent: list[Message] = field(default_factory=list)

    async def receive(self) -> Message:
        if self.read == len(self.pieces):
            if self.stays_silent:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}
        self.read += 1
        more = self.read < len(self.pieces) or self.stays_silent
        return {"type": "http.request", "body": self.pieces[self.read - 1], "more_body": more}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def call(app: ASGIApp, scope: Scope, client: Client) -> Client:
    """Run one request to its end."""
    asyncio.run(_call(app, scope, client))
    return client


async def _call(app: ASGIApp, scope: Scope, client: Client) -> None:
    await app(scope, client.receive, client.send)


async def reads_everything(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with what it was sent."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await _answer(send, [body])


async def reads_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers without looking at the body."""
    await _answer(send, [b"no", b", thanks"])


async def _answer(send: Send, pieces: Iterable[bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
