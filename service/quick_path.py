"""The short way to a prediction: for requests without parameters, as most are, past FastAPI's router to the endpoint.

FastAPI finds a route among all, looks for each parameter of each request, and validates an answer that is a checked
model already. For a picture that is more than all else that the event loop does; the core that does it is one of those
that compute, and finds its caches cold each time.
"""

import contextlib
import math
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import ServiceError
from service.gate import GatedRoute
from service.problems import answer_finial_error, answer_nobody
from service.route_templates import PREDICT, PREDICT_WITH
from service.runtime import Runtime
from shared.errors import FinialError

Endpoint = Callable[[Request, Runtime, str | None, float], Awaitable[BaseModel]]
"""Given a request, the runtime, the model's name if there is one, and until when the client waits."""

_FAILURE = "failure"
_TIMEOUT = b"x-request-timeout-ms"
_UNNAMED, _NAMED = GatedRoute(PREDICT), GatedRoute(PREDICT_WITH)


class QuickPath:
    """ASGI middleware, the innermost: asks an endpoint itself, and is answered as the routes and `problems` would.

    Args:
        app: gets all requests with a query or a deadline of their own, and those that are for another route.
        endpoint: gets those for `/predict` and `/models/{name}/predict`.
    """

    def __init__(self, app: ASGIApp, *, endpoint: Endpoint) -> None:
        self._app, self._endpoint = app, endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        asked = plainly_asked(scope) if scope["type"] == "http" else None
        if asked is None:
            await self._app(scope, receive, send)
        else:
            await self._ask(*asked, Request(scope, receive), send)

    async def _ask(self, route: GatedRoute, name: str | None, request: Request, send: Send) -> None:
        request.scope["route"] = route
        response = await self._answer(request, name)
        await response(request.scope, request.receive, send)

    async def _answer(self, request: Request, name: str | None) -> Response:
        try:
            await _raise_known(request)
            found = await self._endpoint(request, request.app.state.runtime, name, math.inf)
        except FinialError as error:
            return await answer_finial_error(request, error)
        except ClientDisconnect as gone:
            return await answer_nobody(request, gone)
        return Response(found.model_dump_json(), media_type="application/json")


def plainly_asked(scope: Scope) -> tuple[GatedRoute, str | None] | None:
    """Where a request for a prediction without parameters goes, and for which model; None for any other request."""
    if scope["method"] != "POST" or scope["query_string"] or any(name == _TIMEOUT for name, _ in scope["headers"]):
        return None
    match scope["path"].split("/"):
        case ["", "predict"]:
            return _UNNAMED, None
        case ["", "models", name, "predict"] if name:
            return _NAMED, name
    return None


def note_failure(scope: Scope, error: Exception) -> None:
    """Tell that a request has been worked for, and why there is no answer: nothing is to be done for it again."""
    scope["state"][_FAILURE] = error


async def _raise_known(request: Request) -> None:
    error: Exception | None = request.scope.get("state", {}).pop(_FAILURE, None)
    if error is None:
        return
    try:
        with contextlib.suppress(ServiceError):  # it is told what came of it, also if there is no room for it any more
            await request.body()  # so that the connection can be kept
        raise error
    finally:
        del error  # its traceback holds this frame, which would hold it in turn, and the picture with it
