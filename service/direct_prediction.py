"""One prediction without the app, from its head to its answer. `short_way` says who gets one, and why."""

import time
from collections.abc import Callable, Iterable

from starlette.types import Scope

from service.access_log import note_model
from service.answers import Answer
from service.classifier import Pending, take_back
from service.lane_turn import Turn
from service.logs import OF_REQUEST
from service.pool import in_seconds
from service.predict_routes import TOP_K
from service.prediction_counts import note_answer
from service.quick_path import note_failure
from service.request_counts import BEGAN, READ_BEFORE, note_end
from service.request_ids import identify, identity_of
from service.runtime import Runtime
from service.schemas import predict_json
from service.stage_times import StageTimes, keep_stage_times, stage_times_of
from service.trace_context import begin_trace

OK = 200
Headers = Iterable[tuple[bytes, bytes]]


class DirectPrediction:
    """One request that may be answered without the app. Ended once, by `answer` and `close`, or by `hand_over`.

    Args:
        runtime: where it is to be answered.
        scope: its head.
        model: name of the model that is meant.
        announced_bytes: how long its body is.
    """

    def __init__(self, runtime: Runtime, scope: Scope, model: str, announced_bytes: int) -> None:
        self._runtime, self._scope, self._model = runtime, scope, model
        self._began = time.monotonic()
        self._pieces: list[bytes] = []
        self._held_bytes, self._expected_bytes = 0, announced_bytes
        self._turn: Turn[Answer | Pending] | None = None
        self._times: StageTimes = stage_times_of(scope)
        self._times.begin("receive")
        runtime.held.expected += announced_bytes
        runtime.counts.in_flight.inc()
        note_model(scope, model)  # at once: the log of one that breaks off says, too, what it was for

    @property
    def has_begun(self) -> bool:
        """Whether its body has come, and it is worked for."""
        return self._turn is not None

    @property
    def is_over(self) -> bool:
        """Whether there is an answer, or none will come."""
        return self._turn is not None and self._turn.is_over

    def add(self, piece: bytes) -> None:
        """Some of the body."""
        self._pieces.append(piece)
        self._hold(self._held_bytes + len(piece), self._expected_bytes - len(piece))

    def body(self) -> bytes:
        """What has come of it so far."""
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def begin(self, told: Callable[[], object]) -> None:
        """Its body is whole: ask for a lane.

        Args:
            told: called when it may be over.

        Raises:
            ServiceError: there is no place any more.
        """
        runtime, scope = self._runtime, self._scope
        identify(scope)
        if runtime.settings.otlp_endpoint is not None:
            begin_trace(scope)
        token = OF_REQUEST.set(identity_of(scope))
        try:
            self._turn = runtime.classifier.begin(
                self.body(),
                model=self._model,
                count=TOP_K,
                deadline=in_seconds(runtime.settings.request_timeout_s),
                times=self._times,
                told=told,
            )
        finally:
            OF_REQUEST.reset(token)

    def cancel(self) -> None:
        """Nobody waits for it any more; what is done for it is dropped at the next check."""
        if self._turn is not None:
            self._turn.cancel()

    def answer(self) -> bytes | None:
        """The body of the answer; None where the app has to find it. Only when it is over.

        Raises:
            Exception: why there is none.
        """
        if self._turn is None:
            return None
        found = self._turn.result()
        if not isinstance(found, Answer):
            take_back(found)
            return None
        note_model(self._scope, self._model, found.version)
        note_answer(self._scope, found)
        return predict_json(found, request_id=self._scope["state"]["request_id"])

    def written(self, body: bytes, headers: Headers, *, closes: bool) -> bytes:
        """The whole answer as it goes over the wire."""
        state = self._scope["state"]
        self._times.end()
        first = b"".join([name + b": " + value + b"\r\n" for name, value in headers])
        more = (
            f"content-length: {len(body)}\r\ncontent-type: application/json\r\nx-request-id: {state['request_id']}\r\n"
            f"server-timing: {self._times.server_timing()}\r\n{'connection: close' if closes else ''}"
        )
        return b"".join((b"HTTP/1.1 200 OK\r\n", first, more.encode(), b"\r\n\r\n" if closes else b"\r\n", body))

    def count(self) -> None:
        """Count and log it, as answered."""
        note_end(
            self._scope,
            self._runtime.counts,
            self._runtime.log,
            status=OK,
            seconds=time.monotonic() - self._began,
            bytes_in=len(self.body()),
        )

    def close(self) -> None:
        """End, and hold nothing of it any more. Where it is worked for still, to be called again at the end of that."""
        if self._held_bytes + self._expected_bytes:
            self._hold(0, 0)
            self._runtime.counts.in_flight.dec()
        if self._turn is None or self._turn.is_over:
            self._pieces.clear()
            if self._turn is not None:
                for found in self._turn.results():
                    take_back(found)
                self._turn.end()

    def hand_over(self, error: Exception | None = None, *, unread: bool = False) -> bytes:
        """Leave it to the app, with what is known of it.

        Args:
            error: what came of it, if it was worked for.
            unread: whether the app will not read its body, since its client has gone, or it is refused.

        Returns:
            What has come of its body, for the app to read.
        """
        state = self._scope["state"]
        state[BEGAN] = self._began
        body = self.body()
        if unread:
            state[READ_BEFORE], body = len(body), b""
        if self.has_begun and not self.is_over:
            keep_stage_times(self._scope)
        elif error is not None:
            self._times.end()
        if error is not None:
            note_failure(self._scope, error)
        self.close()
        return body

    def _hold(self, held_bytes: int, expected_bytes: int) -> None:
        held = self._runtime.held
        held.bytes += held_bytes - self._held_bytes
        held.expected += expected_bytes - self._expected_bytes
        self._held_bytes, self._expected_bytes = held_bytes, expected_bytes
