"""A connection that answers by itself whom the gate turns away: a refusal must cost less than what it saves.

The app takes three times as much of the event loop for a refusal (decision 38). A short body is read and dropped
first, so that the connection can be kept; for a long one, or one that is slow to come, the app refuses as ever.
"""

from typing import Unpack, cast

from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.closing import OfUvicorn
from service.connection import Connection, ConnectionLimits
from service.connection_errors import TooManyConnections
from service.gate import Gate, GatedRoute, TurnedAway
from service.polite_close import SHORT_BODY_BYTES, SHORT_BODY_S
from service.refusals import REFUSAL, refusal_of
from service.request_counts import CLIENT_GONE, OTHER_ROUTE
from service.request_ids import identify
from service.timer import Timer


class GatedConnection(Connection):
    """A connection with a gate before the app.

    Args:
        gate: says who is not let in.
        limits, of_uvicorn: as the connection's.
    """

    def __init__(self, *, gate: Gate, limits: ConnectionLimits, **of_uvicorn: Unpack[OfUvicorn]) -> None:
        super().__init__(limits=limits, **of_uvicorn)
        self._gate = gate
        self._turned: TurnedAway | None = None
        self._turned_bytes = 0
        self._body_timer = Timer()

    def data_received(self, data: bytes) -> None:
        """Take in what came; whose body is still under way has a second."""
        super().data_received(data)
        self._time_body()

    def on_response_complete(self) -> None:
        """The answer is written. Whose turn it is now may have sent half a body, and nothing since."""
        super().on_response_complete()
        self._time_body()

    def on_body(self, body: bytes) -> None:
        """Some of the body; nobody wants it of one who was turned away."""
        super().on_body(body)
        if self._turned:
            self._turned_bytes += len(body)
            self.cycle.body.clear()
            self.flow.resume_reading()

    def on_message_complete(self) -> None:
        """The request is whole, so its connection can be kept after a refusal."""
        super().on_message_complete()
        if self._turned:
            self._answer(self.cycle, self._turned)

    def eof_received(self) -> bool:  # type: ignore[override]
        """As the connection's: half a body is a request that breaks off."""
        if self._turned:
            self._leave_it_to_the_app()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """End. One who went with half a body sent is counted as gone."""
        self._body_timer.cancel()
        if self._turned:
            identify(self._turned.scope)
            self._gate.count(self._turned, CLIENT_GONE, bytes_in=self._turned_bytes)
            self._turned = None
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._unset_keepalive_if_required()  # a refusal within the same read has started it
        if not self._is_short(cycle) or (turned := self._turned_away(cycle)) is None:
            self._let_in(cycle, app)
        else:
            self._turned_bytes = len(cycle.body)  # some of it has come where others were to be answered first
            cycle.body.clear()
            if cycle.more_body:
                self._turned = turned
            else:
                self._answer(cycle, turned)

    def _time_body(self) -> None:
        """The rest of a body has its time, from here on if not from before."""
        if self._turned and not self._body_timer.runs:
            self._body_timer.start(self.loop, SHORT_BODY_S, self._leave_it_to_the_app)

    def _let_in(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        super()._start_asgi_task(cycle, app)

    def _turned_away(self, cycle: RequestResponseCycle) -> TurnedAway | None:
        scope = cast("Scope", cycle.scope)
        refusal = refusal_of(scope)
        if refusal is None:
            return self._gate.turned_away(scope)
        if not isinstance(refusal, TooManyConnections):
            return None
        cycle.keep_alive = False  # that there is one less is the point
        return TurnedAway(GatedRoute(OTHER_ROUTE), refusal, scope)

    def _is_short(self, cycle: RequestResponseCycle) -> bool:
        """Whether the rest of a request's body, if there is one, may be read away."""
        if self._refused or self.transport.is_closing() or cycle.waiting_for_100_continue:
            return False
        length = _header(cycle, b"content-length")
        return not cycle.more_body or (length.isdigit() and len(length) < 20 and int(length) <= SHORT_BODY_BYTES)

    def _answer(self, cycle: RequestResponseCycle, turned: TurnedAway) -> None:
        self._body_timer.cancel()
        self._turned = None
        answer, scope = turned.answer, cast("Scope", cycle.scope)
        request_id = identify(turned.scope)
        # First, so that who has read the answer finds it counted.
        self._gate.count(turned, answer.status, bytes_in=self._turned_bytes)
        headers = [*self.server_state.default_headers, *self._gate.more_headers(scope)]
        self._write_answer(cycle, answer.written(request_id, server_headers=headers, closes=not cycle.keep_alive))

    def _leave_it_to_the_app(self) -> None:
        """Its body takes long: it is told at once, and its connection closed."""
        if (turned := self._turned) is None:
            return
        self._body_timer.cancel()
        self._turned = None
        scope = cast("Scope", self.cycle.scope)
        scope["state"][REFUSAL], scope["route"] = turned.error, turned.route
        self._let_in(self.cycle, self.app)


def _header(cycle: RequestResponseCycle, wanted: bytes) -> bytes:
    return next((value for name, value in cycle.scope["headers"] if name == wanted), b"")
