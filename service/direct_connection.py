"""A connection that answers plain predictions by itself, as far as these go well; all else it leaves to the app."""

import logging
from functools import partial
from typing import Unpack, cast

from starlette.requests import ClientDisconnect
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.closing import OfUvicorn
from service.connection import ConnectionLimits
from service.direct_prediction import DirectPrediction
from service.gate import Gate
from service.gated_connection import GatedConnection
from service.pool_errors import PoolClosed
from service.refusals import REFUSAL
from service.short_way import ShortWay
from service.timer import Timer

WHOLE_S = 0.05
"""How long a body may take; then the app takes it over, whose limits are for slow ones."""
ONE_READING_S = 0.001
"""The event loop calls who is due before it reads: one that is late finds bodies slow that have come long since."""

logger = logging.getLogger(__name__)


class DirectConnection(GatedConnection):
    """A connection with a short way to the lanes.

    Args:
        short_way: says whom it may answer by itself.
        gate, limits, of_uvicorn: as the gated connection's.
    """

    def __init__(
        self, *, short_way: ShortWay, gate: Gate, limits: ConnectionLimits, **of_uvicorn: Unpack[OfUvicorn]
    ) -> None:
        super().__init__(gate=gate, limits=limits, **of_uvicorn)
        self._short_way = short_way
        self._direct: DirectPrediction | None = None
        self._listens = False
        self._whole_timer = Timer()

    # --- what comes ---

    def data_received(self, data: bytes) -> None:
        """Take in what came. Who sends more at once is read on, once: else nobody learns that it goes."""
        super().data_received(data)
        if self._direct is not None and self._direct.has_begun and self.flow.read_paused and not self._listens:
            self._listens = True
            self.flow.resume_reading()

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        if self._awaits_body and self._direct is not None:
            self._note_content(body)
            self._direct.add(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        if self._awaits_body:
            self._begin_direct()

    def eof_received(self) -> bool:  # type: ignore[override]
        """As the connection's: who sends half a body is told so by the app."""
        if self._awaits_body:
            self._hand_over(unread=True)
        return super().eof_received()

    def end_grace(self) -> None:
        """Who is worked for still is told that the service ends."""
        super().end_grace()
        if (direct := self._direct) is None or self._answered is None:
            return
        direct.cancel()
        cast("Scope", self._answered.scope)["state"][REFUSAL] = PoolClosed()
        self._hand_over(unread=True)

    # --- what is done ---

    @property
    def _awaits_body(self) -> bool:
        return self._direct is not None and not self._direct.has_begun

    def _time_body(self) -> None:
        super()._time_body()
        if self._awaits_body and not self._whole_timer.runs:
            self._whole_timer.start(self.loop, WHOLE_S, self._read_once_more)

    def _read_once_more(self) -> None:
        self._whole_timer.start(self.loop, ONE_READING_S, self._hand_over)

    def _may_be_direct(self, cycle: RequestResponseCycle) -> bool:
        """Whether the connection is as it should be; else the gate may not have been asked, either."""
        if self.flow.write_paused or self.transport.is_closing():
            return False
        return not (cycle.waiting_for_100_continue or self._refused)

    def _let_in(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        direct = self._short_way.take(cast("Scope", cycle.scope)) if self._may_be_direct(cycle) else None
        if direct is None:
            super()._let_in(cycle, app)
            return
        self._direct, self._listens = direct, False
        self._begin_answer(cycle)
        self._departure.then = self._give_up
        if cycle.body:  # others were to be answered first, and it has come meanwhile: whole, or in part
            direct.add(bytes(cycle.body))
            cycle.body.clear()
        if not cycle.more_body:
            self._begin_direct()

    def _begin_direct(self) -> None:
        self._whole_timer.cancel()
        if (direct := self._direct) is None:
            return
        try:
            direct.begin(partial(self._answer_if_over, direct))
        except Exception as error:
            self._hand_over(error)
        else:
            self._answer_if_over(direct)  # its deadline may have passed at once: of that nobody is told

    def _answer_if_over(self, direct: DirectPrediction) -> None:
        if not direct.is_over:
            return
        if direct is not self._direct or (cycle := self._answered) is None:  # left to the app while a thread was at it
            direct.close()
            return
        try:
            answer = self._written(direct, cycle)
        except Exception as error:
            self._hand_over(error)
            return
        if answer is None:
            self._hand_over()
        else:
            self._answer_direct(direct, cycle, answer)

    def _written(self, direct: DirectPrediction, cycle: RequestResponseCycle) -> bytes | None:
        """The whole answer; None where the app has to find it. Raises why there is none."""
        if (body := direct.answer()) is None:
            return None
        cycle.keep_alive &= self._has_pipelined() or not self._short_way.is_draining
        headers = [*self.server_state.default_headers, *self._gate.more_headers(cast("Scope", cycle.scope))]
        return direct.written(body, headers, closes=not cycle.keep_alive)

    def _answer_direct(self, direct: DirectPrediction, cycle: RequestResponseCycle, answer: bytes) -> None:
        self._direct = self._departure.then = None
        try:
            direct.count()  # first, so that who has read the answer finds it counted
        except Exception:  # perhaps it was counted in part: so the app may not tell of it, which would count it again
            logger.exception("a request could not be counted")
            self.cut_off()
            return
        finally:
            direct.close()
        self._write_answer(cycle, answer)

    def _give_up(self) -> None:
        """Its client has gone."""
        if self._direct is not None:
            self._direct.cancel()
            self._hand_over(ClientDisconnect(), unread=True)

    def _hand_over(self, error: Exception | None = None, *, unread: bool = False) -> None:
        """Leave it to the app."""
        direct, cycle = self._direct, self._answered
        if direct is None or cycle is None:
            return
        self._whole_timer.cancel()
        self._direct = self._departure.then = None
        cycle.body = bytearray(direct.hand_over(error, unread=unread))
        cycle.message_event.set()
        super()._let_in(cycle, self.app)
