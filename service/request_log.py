"""Who is told of each request when it is counted: the access log, and OpenTelemetry where that is asked for."""

from typing import Self

from starlette.types import Scope

from service.access_log import AccessLog
from service.settings import ServiceSettings
from service.tracing import Tracing


class RequestLog(AccessLog):
    """The access log, which also makes spans. Closed with the service.

    Args:
        settings: say what is wanted.

    Raises:
        TracingUnavailable: spans are, but OpenTelemetry is not installed.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        super().__init__(wanted=settings.access_log)
        self._tracing = Tracing(settings.otlp_endpoint) if settings.otlp_endpoint else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._tracing is not None:
            self._tracing.close()

    def write(self, scope: Scope, *, route: str, status: int, seconds: float, bytes_in: int) -> None:
        """Tell of one request, as `AccessLog.write`."""
        super().write(scope, route=route, status=status, seconds=seconds, bytes_in=bytes_in)
        if self._tracing is not None:
            self._tracing.write(scope, route=route, status=status, seconds=seconds, bytes_in=bytes_in)
