"""Browsers and the app: what they ask beforehand is answered, and every other answer tells them what they may read."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.cors import Cors
from service.problems import note_headers
from service.refusals import refusal_of


class CorsHeaders:
    """ASGI middleware: answers browsers that ask beforehand, and adds to every other answer what they want to read.

    Args:
        app: what answers.
        cors: says what.
    """

    def __init__(self, app: ASGIApp, *, cors: Cors) -> None:
        self._app, self._cors = app, cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        preflight = self._cors.preflight(scope["method"], scope["headers"])
        if preflight is not None and not refusal_of(scope):
            await _send_preflight(preflight, send)
            return
        told = self._cors.headers_for(scope["headers"])
        note_headers(scope, told)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(told, MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers if told else send)


def _add(told: Mapping[str, str], headers: MutableHeaders) -> None:
    for name, value in told.items():
        if name == "Vary":
            headers.add_vary_header(value)
        else:
            headers[name] = value


async def _send_preflight(told: dict[str, str], send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
