"""Browsers and the app: what they ask beforehand is answered, and every other answer tells them what they may read."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access_errors import OriginNotAllowed
from service.cors import Cors
from service.problems import note_headers, problem_response
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
        told = self._cors.headers_for(scope["headers"])
        if not refusal_of(scope) and (answer := self._beforehand(scope, told)) is not None:
            await answer(scope, receive, send)
            return
        note_headers(scope, told)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(told, MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers if told else send)

    def _beforehand(self, scope: Scope, told: Mapping[str, str]) -> Response | None:
        """What a browser is answered that asks whether a page may ask; None where nobody does."""
        try:
            preflight = self._cors.preflight(scope["method"], scope["headers"])
        except OriginNotAllowed as error:
            refused = problem_response(error, scope)
            _add(told, refused.headers)
            return refused
        return None if preflight is None else Response(status_code=HTTPStatus.NO_CONTENT, headers=preflight)


def _add(told: Mapping[str, str], headers: MutableHeaders) -> None:
    for name, value in told.items():
        if name == "Vary":
            headers.add_vary_header(value)
        else:
            headers[name] = value
