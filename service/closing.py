"""The half of a connection that ends it: nobody can hold it, or the end of the process, by not reading an answer."""

import asyncio
from typing import Any, TypedDict, Unpack

from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.departures import DEPARTURE, Departure
from service.timer import Timer


class OfUvicorn(TypedDict, total=False):
    """What uvicorn makes each connection with."""

    config: Config
    server_state: ServerState
    app_state: dict[str, Any]
    _loop: asyncio.AbstractEventLoop | None


class ClosingConnection(HttpToolsProtocol):
    """uvicorn's protocol, which cuts off a client that takes no answer, however little of it is left.

    Args:
        send_s: how long a client may take none of what is sent.
        of_uvicorn: the rest.
    """

    def __init__(self, *, send_s: float, **of_uvicorn: Unpack[OfUvicorn]) -> None:
        super().__init__(**of_uvicorn)
        self._send_s, self._send_timer = send_s, Timer()
        self._answered: RequestResponseCycle | None = None
        self._departure = Departure()

    def connection_lost(self, exc: Exception | None) -> None:
        """End. Whoever is answering learns it, also where the client has sent more requests since."""
        self._send_timer.cancel()
        self._note_gone()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not take its answer; it has some time to go on."""
        super().pause_writing()
        self._send_timer.start(self.loop, self._send_s, self.cut_off)

    def resume_writing(self) -> None:
        """It does again; what is left of a connection that closes has its time, too."""
        super().resume_writing()
        self._send_timer.cancel()
        if self.transport.is_closing():
            self._await_the_rest()

    def on_response_complete(self) -> None:
        """The answer is written; uvicorn may have closed the connection after it."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_the_rest()

    def timeout_keep_alive_handler(self) -> None:
        """No request came for long."""
        self.close()

    def close(self) -> None:
        """Close it when all is sent; a client that does not take that is cut off."""
        if not self.transport.is_closing():
            self.transport.close()
        self._await_the_rest()

    def cut_off(self) -> None:
        """Close it now, whatever is left."""
        self._note_gone()  # `connection_lost` comes later, and what is sent until then would be an error
        self.transport.abort()

    def _note_gone(self) -> None:
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()
            self._departure.note()

    def end_grace(self) -> None:
        """Nothing more is waited for; who is worked for by the app is told so by it."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._begin_answer(cycle)
        cycle.scope["state"][DEPARTURE] = self._departure
        super()._start_asgi_task(cycle, app)

    def _begin_answer(self, cycle: RequestResponseCycle) -> None:
        self._answered = cycle  # uvicorn's own `cycle` is the one that was read last
        self._departure = Departure(self.flow.resume_reading)

    def _write_answer(self, cycle: RequestResponseCycle, answer: bytes) -> None:
        """A whole answer, to a request that no app knows of."""
        self.transport.write(answer)
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _await_the_rest(self) -> None:
        if not self._send_timer.runs and self.transport.get_write_buffer_size():
            self._send_timer.start(self.loop, self._send_s, self.cut_off)
