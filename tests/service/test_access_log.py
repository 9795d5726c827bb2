"""One line for each request, which says nothing that a client could forge and nothing that it would not want told."""

import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from service.access_log import LOGGER, NO_HEAD, AccessLog, note_model
from service.logs import JsonLines
from service.request_ids import identify
from service.stage_times import stage_times_of
from tests.service.asgi import scope_of


class Lines(logging.Handler):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def only(self) -> dict[str, object]:
        (text,) = self.texts
        found: dict[str, object] = json.loads(text)
        return found


@pytest.fixture(scope="module")
def handler() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger(LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def lines(handler: Lines) -> Lines:
    handler.texts.clear()
    return handler


def write(scope: Scope, *, route: str = "/predict", status: int = 200, wanted: bool = True) -> None:
    AccessLog(wanted=wanted).write(scope, route=route, status=status, seconds=0.0123456, bytes_in=77)


def test_a_line_says_who_asked_what_and_what_became_of_it(lines: Lines) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    scope = scope_of(("X-Request-Id", "mine"), ("traceparent", f"00-{trace}-b7ad6b7169203331-01"))
    scope |= {"client": ("10.0.0.7", 4711), "raw_path": b"/predict"}
    identify(scope)
    scope["state"]["key"] = "laptop"
    note_model(scope, "decks", "v1")
    times = stage_times_of(scope)
    times.queue, times.run = 0.001, 0.002

    write(scope)

    line = lines.only()
    assert str(line.pop("time")).endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "service.access",
        "event": "request",
        "method": "POST",
        "route": "/predict",
        "path": "/predict",
        "status": 200,
        "bytes_in": 77,
        "ms": 12.346,
        "queue_ms": 1.0,
        "run_ms": 2.0,
        "model": "decks",
        "version": "v1",
        "request_id": "mine",
        "trace_id": trace,
        "client": "10.0.0.7",
        "key": "laptop",
    }


def test_what_is_not_known_is_left_out(lines: Lines) -> None:
    """Of a head that could not be read, the scope's method and path are made up."""
    write(
        scope_of() | {"state": {"problem": "bad-request", "request_id": "x", NO_HEAD: True}}, route="other", status=400
    )

    assert set(lines.only()) == {
        *("time", "level", "logger", "event", "route", "status", "bytes_in", "ms", "request_id", "problem")
    }


@pytest.mark.parametrize("route", ["/health/live", "/health/ready", "/metrics", "/v2/health/ready"])
def test_a_probe_is_logged_only_when_it_fails(route: str, lines: Lines) -> None:
    write(scope_of(path=route), route=route)
    assert lines.texts == []

    write(scope_of(path=route), route=route, status=503)
    assert lines.only()["status"] == 503


def test_no_line_is_written_where_none_is_wanted(lines: Lines) -> None:
    write(scope_of(), wanted=False)

    assert lines.texts == []


def test_headers_and_queries_are_not_logged(lines: Lines) -> None:
    """They may hold keys."""
    scope = scope_of(("Authorization", "Bearer secret-key"), ("Cookie", "secret-cookie"))

    write(scope | {"query_string": b"api_key=secret"})

    assert "secret" not in lines.texts[0]


def test_a_path_is_logged_as_it_was_sent_and_cut(lines: Lines) -> None:
    write(scope_of(path="/a\nb") | {"raw_path": b"/a%0Ab" + b"c" * 9999})

    path = str(lines.only()["path"])
    assert path.startswith("/a%0Abccc")
    assert len(path) == 200


ODD = st.one_of(st.characters(), st.sampled_from('"\\\n\r\x00\x1b\x7f\x85\x9b\u2028\u2029\u202e\u2066\ud800'))


@given(path=st.text(ODD), raw=st.none() | st.binary(), model=st.text(ODD))
def test_whatever_a_client_sends_makes_one_line_of_what_can_be_shown(
    handler: Lines, path: str, raw: bytes | None, model: str
) -> None:
    handler.texts.clear()
    scope = scope_of(path="/" + path.encode("utf-8", "replace").decode()) | ({} if raw is None else {"raw_path": raw})
    note_model(scope, model)

    write(scope)

    (text,) = handler.texts
    assert len(text.splitlines()) == 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text)
    assert not set(text) & set("\u2028\u2029\u202a\u202b\u202d\u202e\u2066\u2069\ud800")
    assert handler.only()["model"] == model
    assert handler.only()["status"] == 200
