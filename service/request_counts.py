"""Counts and logs every request once, by what became of it: those refused early and those whose client left, too."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access_log import AccessLog, RequestWriter
from service.connection_errors import RequestBrokenOff
from service.prediction_counts import PredictionCounts, noted_answers
from service.stage_times import STAGES, StageTimes, known_stage_times

CLIENT_GONE = 499
"""The status under which requests are counted whose client left before an answer began. It never goes over the wire."""

OTHER_ROUTE = "other"
PICTURE_ROUTES = (
    "/predict",
    "/models/{name}/predict",
    "/explain",
    "/models/{name}/explain",
    "/v2/models/{name}/infer",
    "/v2/models/{name}/versions/{version}/infer",
)
"""Errors of these are told from 0 on: a series that begins at 1 hides its first one from `rate` and `increase`."""

REFUSED = frozenset({408, 413, 429, 431, 503, 504})
"""Statuses that say that a limit was reached, or that nobody is there to answer."""

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RequestCounts:
    """The counters themselves. Labels come from tables of ours (routes, statuses, problems), never from a client."""

    def __init__(self) -> None:
        # The time of each counter's making: as many lines again, and of no use.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "finial_requests", "Requests by route and status.", ("route", "status"), registry=self.registry
        )
        for route in PICTURE_ROUTES:
            self._requests.labels(route, "500")
        self._refused = Counter(
            "finial_refused",
            "Requests refused, by the problem they were answered.",
            ("reason",),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "finial_request_seconds",
            "Time from a request's headers to the begin of its answer.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        stages = Histogram(
            "finial_stage_seconds",
            "Time of a request in each stage that it came to, added up over its pictures.",
            ("stage",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self.predictions = PredictionCounts()
        self.in_flight = Gauge("finial_in_flight", "Requests that are not finished.", registry=self.registry)

    def add(self, *, route: str, status: int, problem: str | None, seconds: float) -> None:
        """Count one request.

        Args:
            route: the route's template.
            status: what it was answered, or CLIENT_GONE.
            problem: name of the problem it was answered, if it was one.
            seconds: time until the answer began.
        """
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if problem and status in REFUSED:  # one without a problem is a health check's answer
            self._refused.labels(problem).inc()

    def add_stages(self, times: StageTimes) -> None:
        """Count where the time of one request went."""
        for stage, seconds in times.seconds().items():
            self._stages[stage].observe(seconds)


BEGAN, READ_BEFORE = "began", "read_before"
"""Keys of a scope's state, of a request that comes late to the app: when its head came, in s of time.monotonic(), and
how many bytes of its body were read and dropped before."""


def note_end(
    scope: Scope, counts: RequestCounts, log: RequestWriter, *, status: int, seconds: float, bytes_in: int
) -> None:
    """Count and log a request when its answer begins.

    Args:
        scope: the request's.
        counts: where it is counted.
        log: told of it.
        status: what it is answered, or CLIENT_GONE.
        seconds: since its head came.
        bytes_in: how much of its body was read.
    """
    route = getattr(scope.get("route"), "path", OTHER_ROUTE)
    counts.add(route=route, status=status, problem=scope.get("state", {}).get("problem"), seconds=seconds)
    log.write(scope, route=route, status=status, seconds=seconds, bytes_in=bytes_in)
    if (times := known_stage_times(scope)) is not None:
        counts.add_stages(times)
    if status == HTTPStatus.OK:
        for answer in noted_answers(scope):
            counts.predictions.add(answer)


def note_problem(scope: Scope, name: str) -> None:
    """Tell the counts which problem a request is answered."""
    scope.setdefault("state", {})["problem"] = name


class CountRequests:
    """ASGI middleware, the outermost: counts a request when its answer begins, so before the client can know of it.

    Args:
        app: what is counted.
        counts: where.
        log: told of the same requests, in the same words.
    """

    def __init__(self, app: ASGIApp, *, counts: RequestCounts, log: RequestWriter | None = None) -> None:
        self._app, self._counts, self._log = app, counts, log or AccessLog(wanted=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, watching for the begin of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watched = _Watched(scope, receive, send, self._counts, self._log)
        with self._counts.in_flight.track_inprogress():
            try:
                await self._app(scope, watched.receive, watched.send)
            finally:  # an error of ours, which is answered 500 further out, or the end of the process
                watched.count(500)


class _Watched:
    """One request, counted once."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, counts: RequestCounts, log: RequestWriter) -> None:
        self._scope, self._receive, self._send, self._counts, self._log = scope, receive, send, counts, log
        state: Mapping[str, Any] = scope.get("state", {})
        self._began: float = state.get(BEGAN) or time.monotonic()
        self._bytes_in: int = state.get(READ_BEFORE, 0)
        self._counted = self._gone = False
        self._body_complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._gone = message["type"] == "http.disconnect"
        self._bytes_in += len(message.get("body", b""))
        self._body_complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._counted:
            gone = self._gone or (self._body_complete and self._has_gone())
            gone = gone or isinstance(self._scope.get("state", {}).get("refusal"), RequestBrokenOff)
            self.count(CLIENT_GONE if gone else message["status"])
        await self._send(message)

    def _has_gone(self) -> bool:
        """Whether the client left while its request was computed; all that is left to receive is that."""
        waiting = self.receive()
        try:  # what is known already is received at once; a task that is cancelled would cost 20 times as much
            waiting.send(None)
        except StopIteration:
            return self._gone
        waiting.close()
        return False

    def count(self, status: int) -> None:
        if self._counted:
            return
        self._counted = True
        status = CLIENT_GONE if self._gone else status
        seconds = time.monotonic() - self._began
        note_end(self._scope, self._counts, self._log, status=status, seconds=seconds, bytes_in=self._bytes_in)
