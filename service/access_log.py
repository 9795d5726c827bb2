"""The access log: one line for each request, whatever became of it. Labels and names of files are in none.

What a client makes up is bounded: its path is cut, its id is a sane one, its headers and its query are left out.
"""

import logging
from typing import Protocol

from starlette.types import Scope

from service.logs import log_line
from service.request_ids import identity_of
from service.stage_times import known_stage_times

LOGGER = "service.access"
MAX_PATH = 200
NO_HEAD = "no_head"
"""Key of a scope's state: it stands for a request whose head could not be read, so that method and path are made up."""

_PROBES = ("/live", "/ready", "/metrics")
_OK_UNTIL = 400

logger = logging.getLogger(LOGGER)


def note_model(scope: Scope, model: str, version: str | None = None) -> None:
    """Tell the log which model a request is for, and which version answered it."""
    state = scope.setdefault("state", {})
    state["model"], state["version"] = model, version


class RequestWriter(Protocol):
    """Whoever is told of each request when it is counted."""

    def write(self, scope: Scope, *, route: str, status: int, seconds: float, bytes_in: int) -> None:
        """Tell of one request; the arguments are those of `AccessLog.write`."""


class AccessLog:
    """Writes the lines, if they are wanted.

    Args:
        wanted: as --access-log says.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted

    def write(self, scope: Scope, *, route: str, status: int, seconds: float, bytes_in: int) -> None:
        """Log a request; probes and scrapes only when they fail, since they come every few seconds.

        Args:
            scope: the request's.
            route: its route's template.
            status: what it was answered, or 499.
            seconds: from its head to the begin of its answer.
            bytes_in: how much of its body was read.
        """
        if not self._wanted or (status < _OK_UNTIL and route.endswith(_PROBES)):
            return
        fields = _fields_of(scope) | {"route": route, "status": status, "bytes_in": bytes_in, "ms": _ms(seconds)}
        if (times := known_stage_times(scope)) is not None:
            fields |= {f"{stage}_ms": _ms(taken) for stage, taken in times.seconds().items()}
        log_line(logger, "request", fields)


def _fields_of(scope: Scope) -> dict[str, object]:
    """Who asked for what: what is not known is left out."""
    state = scope.get("state", {})
    fields = identity_of(scope)
    if not state.get(NO_HEAD):
        fields |= {"method": scope["method"], "path": path_of(scope)}
    fields |= {
        name: state[name]
        for name in ("model", "version", "problem", "key", "expired_key")
        if state.get(name) is not None
    }
    if client := scope.get("client"):
        fields["client"] = client[0]
    return fields


def path_of(scope: Scope) -> str:
    """A request's path as it was sent, so escaped once; cut."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw[:MAX_PATH].decode("latin-1")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
