"""A name for every request: the client's own X-Request-Id if it is a sane one, else a fresh one; and its trace.

Both are in whatever is logged while the request is served; the name is in its answer, beside where its time went.
"""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.logs import OF_REQUEST
from service.stage_times import known_stage_times
from service.trace_context import begin_trace, known_trace, trace_of

HEADER = "X-Request-Id"
SERVER_TIMING = "Server-Timing"

_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id_of(scope: Scope) -> str:
    """The id that this request was given."""
    return str(scope.get("state", {}).get("request_id", ""))


def named(given: str) -> str:
    """What a request is called: as its client calls it, if that is sane; else a fresh name."""
    return given if _SANE.fullmatch(given) else secrets.token_hex(16)


def identify(scope: Scope) -> str:
    """Put the request's id and its trace into its state, unless they are there. Returns the id."""
    state = scope.setdefault("state", {})
    if known := request_id_of(scope):
        return known
    state["request_id"] = request_id = named(Headers(scope=scope).get(HEADER, ""))
    state["trace"] = trace_of(scope["headers"])
    return request_id


def identity_of(scope: Scope) -> dict[str, object]:
    """The request's id, and that of its trace if it is part of one, as fields of log lines."""
    fields: dict[str, object] = {"request_id": request_id_of(scope)}
    if (trace := known_trace(scope)) is not None:
        fields["trace_id"] = trace.trace_id
    return fields


class RequestIds:
    """ASGI middleware: puts the id into the request's state, its log lines and its answer's headers.

    Args:
        app: what comes behind it.
        begins_traces: whether spans are made, so that a request without a trace begins one.
    """

    def __init__(self, app: ASGIApp, *, begins_traces: bool = False) -> None:
        self._app, self._begins_traces = app, begins_traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its name."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = identify(scope)
        if self._begins_traces:
            begin_trace(scope)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[HEADER] = request_id
                if (times := known_stage_times(scope)) is not None:
                    headers[SERVER_TIMING] = times.server_timing()
            await send(message)

        token = OF_REQUEST.set(identity_of(scope))
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            OF_REQUEST.reset(token)
