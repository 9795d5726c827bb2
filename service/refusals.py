"""Answers what never reaches a route: requests that the connection refused, and those that outlive the grace."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import ServiceError
from service.pool_errors import PoolClosed
from service.problems import problem_response

REFUSAL, HAS_MORE = "refusal", "has_more"
"""Keys of a scope's state: why the connection refuses the request; whether more requests wait behind it."""


def refusal_of(scope: Scope) -> ServiceError | None:
    """Why the connection refuses this request; may become known while its body is read."""
    error: ServiceError | None = scope.get("state", {}).get(REFUSAL)
    return error


class Refusals:
    """ASGI middleware: a refused request is answered with its problem, and its connection closed.

    A request that is cancelled, because the grace at shutdown is over, is told so.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it is refused."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif error := refusal_of(scope):
            await _refuse(error, scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if started:
                raise
            await _refuse(PoolClosed(), scope, receive, send)


async def _refuse(error: ServiceError, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_response(error, scope)
    response.headers["Connection"] = "close"
    await response(scope, receive, send)
