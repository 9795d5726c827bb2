"""Requests as OpenTelemetry spans: one for each, one below it for each stage; sent by a thread of their own.

OpenTelemetry is optional and imported only where spans are asked for. Whatever a collector does, or does not, a request
notices nothing of it: spans are made when its answer begins, kept in a bounded queue, and dropped where that is full.
"""

import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.types import Scope

from service.access_log import path_of
from service.errors import TracingUnavailable
from service.request_counts import CLIENT_GONE, OTHER_ROUTE
from service.request_ids import request_id_of
from service.stage_times import StageTimes, known_stage_times
from service.trace_context import TraceContext, begin_trace

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.trace import SpanContext, Tracer
    from opentelemetry.util.types import AttributeValue

    Attributes = dict[str, AttributeValue]

FLUSH_S = 2.0
"""How long the end of the process waits for the last spans to be sent."""

MAX_METHOD = 20
_PATH = "/v1/traces"
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_SERVICE = "finial"
_SERVER_ERROR = 500
_NS = 1e9

_TRACE_ID: ContextVar[str] = ContextVar("_TRACE_ID")
"""Of the request whose span is being made, if its trace begins there."""


class Tracing:
    """Makes spans of requests and sends them to a collector, by OTLP over HTTP, in batches.

    All else is set as OpenTelemetry's standard variables say (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
    OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_SCHEDULE_DELAY and others).

    Args:
        endpoint: the collector's address, e.g. http://localhost:4318; /v1/traces is added.

    Raises:
        TracingUnavailable: OpenTelemetry is not installed.
    """

    def __init__(self, endpoint: str) -> None:
        self._provider, self._sending = _open_provider(endpoint)
        self._tracer: Tracer = self._provider.get_tracer(_SERVICE)

    def write(self, scope: Scope, *, route: str, status: int, seconds: float, bytes_in: int) -> None:
        """Make the spans of a request whose answer begins now.

        Args:
            scope: the request's.
            route: its route's template.
            status: what it is answered, or 499 where its client left.
            seconds: from its head to the begin of its answer.
            bytes_in: how much of its body was read.
        """
        from opentelemetry.trace import SpanKind, Status, StatusCode

        times = known_stage_times(scope)
        clock = _Clock()
        began = clock.now - seconds  # late by what has passed since they were counted; its stages know better
        ended = clock.now
        if times is not None and times.intervals:
            began = min(began, times.intervals[0][1])
            ended = max(began + seconds, *(end for _, _, end in times.intervals))
        trace = begin_trace(scope)
        _TRACE_ID.set(trace.trace_id)
        span = self._tracer.start_span(
            _name_of(scope, route),
            context=_context_of(trace),
            kind=SpanKind.SERVER,
            attributes=_asked(scope, route),
            start_time=clock.time_ns(began),
        )
        if span.is_recording():
            span.set_attributes(_answered(scope, status, bytes_in))
            if status >= _SERVER_ERROR:
                span.set_status(Status(StatusCode.ERROR))
            if times is not None:
                self._tell_stages(times, span.get_span_context(), clock)
        span.end(clock.time_ns(ended))

    def _tell_stages(self, times: StageTimes, below: "SpanContext", clock: "_Clock") -> None:
        """Finished spans, made at once: to begin and end each by the tracer would take several times as long."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanContext

        maker = InstrumentationScope(_SERVICE)
        for stage, began, ended in times.intervals:
            number = self._provider.id_generator.generate_span_id()
            own = SpanContext(below.trace_id, number, is_remote=False, trace_flags=below.trace_flags)
            self._sending.on_end(
                ReadableSpan(
                    stage,
                    context=own,
                    parent=below,
                    resource=self._provider.resource,
                    instrumentation_scope=maker,
                    start_time=clock.time_ns(began),
                    end_time=clock.time_ns(ended),
                )
            )

    def close(self) -> None:
        """Send what is left; not for long, as a collector that is gone must not hold the process."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True, name="last-spans")
        closing.start()
        closing.join(FLUSH_S)


class _Clock:
    """Time of day of moments of the monotonic clock, by one reading of both; what came earlier stays earlier.

    Attributes:
        now: that reading; s of time.monotonic().
    """

    def __init__(self) -> None:
        self._now_ns, self.now = time.time_ns(), time.monotonic()

    def time_ns(self, moment: float) -> int:
        """Nanoseconds since 1970 of a moment, in s of time.monotonic()."""
        return self._now_ns - int((self.now - moment) * _NS)


def require_opentelemetry() -> None:
    """See whether spans could be made and sent.

    Raises:
        TracingUnavailable: a package is missing.
    """
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError as error:
        raise TracingUnavailable(error.name or str(error)) from error


def _open_provider(endpoint: str) -> "tuple[TracerProvider, SpanProcessor]":
    require_opentelemetry()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):  # nobody has named it
        resource = resource.merge(Resource({SERVICE_NAME: _SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=_ids())
    address = endpoint.rstrip("/").removesuffix(_PATH) + _PATH
    sending = BatchSpanProcessor(OTLPSpanExporter(endpoint=address))
    provider.add_span_processor(sending)
    return provider, sending


def _ids() -> "IdGenerator":
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class TraceIds(RandomIdGenerator):
        """A trace that begins here has the id that is in the log lines of its request already."""

        def generate_trace_id(self) -> int:
            return int(_TRACE_ID.get(), 16)

    return TraceIds()


def _context_of(trace: TraceContext) -> "Context":
    """A context of its own: what else runs in this process has nothing to do with the request."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

    if not trace.parent_id:
        return Context()
    parent = SpanContext(
        int(trace.trace_id, 16),
        int(trace.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([trace.tracestate] if trace.tracestate else []),
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _name_of(scope: Scope, route: str) -> str:
    method = scope["method"] if scope["method"] in _METHODS else "HTTP"
    return method if route == OTHER_ROUTE else f"{method} {route}"


def _asked(scope: Scope, route: str) -> "Attributes":
    """What is known before the answer, by OpenTelemetry's semantic conventions for HTTP servers."""
    found: Attributes = {
        "http.request.method": scope["method"],
        "url.path": path_of(scope),
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if scope["method"] not in _METHODS:
        found |= {"http.request.method": "_OTHER", "http.request.method_original": scope["method"][:MAX_METHOD]}
    if route != OTHER_ROUTE:
        found["http.route"] = route
    if client := scope.get("client"):
        found["client.address"] = client[0]
    host, port = scope.get("server") or (None, None)
    return found | {name: value for name, value in (("server.address", host), ("server.port", port)) if value}


def _answered(scope: Scope, status: int, bytes_in: int) -> "Attributes":
    state = scope.get("state", {})
    found: Attributes = {"http.request.body.size": bytes_in, "finial.request_id": request_id_of(scope)}
    for name in ("model", "version", "problem"):
        if value := state.get(name):
            found[f"finial.{name}"] = value
    if status == CLIENT_GONE:
        found["error.type"] = "client_left"
    else:
        found["http.response.status_code"] = status
        if status >= _SERVER_ERROR:
            found["error.type"] = state.get("problem") or str(status)
    return found
