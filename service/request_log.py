"""Who is told of each request when it is counted: the access log, and OpenTelemetry where that is asked for."""

from typing import Self

from starlette.types import Scope

from service.access_log import AccessLog, RequestWriter
from service.settings import ServiceSettings
from service.trace_context import begin_trace
from service.tracing import Tracing


class RequestLog:
    """Tells all of them. Closed with the service.

    Args:
        settings: say what is wanted.

    Raises:
        TracingUnavailable: spans are, but OpenTelemetry is not installed.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._tracing = Tracing(settings.otlp_endpoint) if settings.otlp_endpoint else None
        access_log = AccessLog(wanted=settings.access_log)
        self._writers: tuple[RequestWriter, ...] = (access_log, self._tracing) if self._tracing else (access_log,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._tracing is not None:
            self._tracing.close()

    def write(self, scope: Scope, *, route: str, status: int, seconds: float, bytes_in: int) -> None:
        """Tell of one request, as `AccessLog.write`."""
        if self._tracing is not None:
            begin_trace(scope)  # of one that was turned away before it had any
        for writer in self._writers:
            writer.write(scope, route=route, status=status, seconds=seconds, bytes_in=bytes_in)
