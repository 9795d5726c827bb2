"""The root of the service's errors, and what keeps it from starting. Each subject has a room `..._errors.py`."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.errors import FinialError


class ServiceError(FinialError):
    """Root of the service's errors.

    Attributes:
        headers: what its answer must say besides the problem.
    """

    headers: Mapping[str, str] = MappingProxyType({})


class TracingUnavailable(FinialError):
    """Spans are asked for, and a package that makes them is missing."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"--otlp-endpoint needs OpenTelemetry, and {missing!r} cannot be imported. "
            "Install it (pip install -r requirements/telemetry.txt -c requirements/tested.txt), or leave it out."
        )


class PageBroken(FinialError):
    """The page's files do not fit together; the service does not start with them."""

    def __init__(self, room: str, found: str) -> None:
        super().__init__(f"service/page/{room}: {found}. See docs/decisions/0045-the-try-it-page.md.")
