"""Logs what nobody expected, once, under the id that the client was told."""

import logging

from starlette.types import ASGIApp, Receive, Scope, Send

from service.request_ids import identity_of

logger = logging.getLogger(__name__)


class LogFailures:
    """ASGI app around the whole: an error that comes out of it is logged here, and not by the server as well.

    By then the client was answered, unless its answer had begun; then the server closes the connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            facts = {
                **identity_of(scope),
                "method": scope["method"],
                "route": getattr(scope.get("route"), "path", scope["path"][:200]),
            }
            logger.error("request failed", exc_info=error, extra=facts)
