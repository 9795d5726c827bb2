"""A name for every request: the client's own X-Request-Id if it is a sane one, else a fresh one."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"

_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id_of(scope: Scope) -> str:
    """The id that the middleware gave this request."""
    return str(scope.get("state", {}).get("request_id", ""))


def named(given: str) -> str:
    """What a request is called: as its client calls it, if that is sane; else a fresh name."""
    return given if _SANE.fullmatch(given) else uuid.uuid4().hex


class RequestIds:
    """ASGI middleware: puts the id into the request's state and into the answer's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its name."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = named(Headers(scope=scope).get(HEADER, ""))
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)
