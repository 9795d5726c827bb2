"""The trace that a request belongs to, as its headers say: W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context-1/).

What is malformed is ignored, as if there were no trace. The service is a leaf: it calls nobody, so it passes nothing on
by itself; its log lines have the trace's id, and whoever makes spans of requests finds their parent here. Where spans
are made, a request without a trace begins one, so that its lines and its span have the same id.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Scope

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_PARENT, _NO_VERSION, _KNOWN_VERSION = "0" * 32, "0" * 16, "ff", "00"
_SAMPLED = 1

_MAX_MEMBERS = 32
_KEY = r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(f"{_KEY}={_VALUE}")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace.

    Attributes:
        trace_id: 32 hexadecimal digits, not all 0.
        parent_id: 16 of them, not all 0: the caller's span; "" where the trace begins here.
        sampled: whether the caller may have recorded it.
        tracestate: what other systems add, as it is to be passed on; "" if nothing, or nothing that can be read.
    """

    trace_id: str
    parent_id: str
    sampled: bool
    tracestate: str = ""


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """The trace that a request's headers name; None without a single, well-formed `traceparent`.

    Args:
        headers: names in lower case, as ASGI has them.
    """
    parents: list[bytes] = []
    states: list[bytes] = []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value)
        elif name == b"tracestate":
            states.append(value)
    if len(parents) != 1:
        return None
    return parse_trace(parents[0].decode("latin-1"), ",".join(state.decode("latin-1") for state in states))


def parse_trace(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """The trace that the two headers' values name, or None where the first is malformed.

    Later versions than 00 may have more fields behind a further dash; version ff is none.
    """
    found = _PARENT.fullmatch(traceparent.strip(" \t"))
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == _NO_VERSION or (version == _KNOWN_VERSION and more is not None):
        return None
    if trace_id == _NO_TRACE or parent_id == _NO_PARENT:
        return None
    return TraceContext(trace_id, parent_id, bool(int(flags, 16) & _SAMPLED), _sane_state(tracestate))


def begin_trace(scope: Scope) -> TraceContext:
    """The request's trace; a new one that begins here if there is none."""
    if (trace := known_trace(scope)) is None:
        trace = scope.setdefault("state", {})["trace"] = TraceContext(secrets.token_hex(16), "", sampled=False)
    return trace


def known_trace(scope: Scope) -> TraceContext | None:
    """The trace that was found for this request."""
    trace: TraceContext | None = scope.get("state", {}).get("trace")
    return trace


def _sane_state(tracestate: str) -> str:
    """A list of at most 32 `key=value`, each key once; what is not that is dropped as a whole."""
    if not tracestate:
        return ""
    members = [member for each in tracestate.split(",") if (member := each.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    sane = len(keys) == len(members) <= _MAX_MEMBERS and all(_MEMBER.fullmatch(member) for member in members)
    return ",".join(members) if sane else ""
