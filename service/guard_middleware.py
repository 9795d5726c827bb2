"""The guard within the app: for requests that the connection left to it, and for an app without such connections."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.gate import GatedRoute
from service.guard import Guard
from service.problems import problem_response
from service.route_templates import template_of


class Guarded:
    """ASGI middleware: whoever the guard does not let in is told why, and nothing of the body is read.

    Args:
        app: what is guarded.
        guard: says who is let in.
    """

    def __init__(self, app: ASGIApp, *, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it is refused."""
        if scope["type"] == "http" and (error := self._guard.refusal(scope)):
            if template := template_of(scope["path"]):
                scope["route"] = GatedRoute(template)  # for the counts: a client that is locked out is to be seen
            await problem_response(error, scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
