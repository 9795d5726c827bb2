"""What browsers are told for pages of other origins."""

import pytest

from service.cors import Cors
from service.cors_headers import CorsHeaders
from tests.service.asgi import Client, call, reads_everything, scope_of

HERE, THERE = "https://a.example", "https://b.example"
ASKS = ("Access-Control-Request-Method", "POST")


def answered(*origins: str, origin: str | None, method: str = "GET", asks: bool = False) -> Client:
    headers = [("Origin", origin)] if origin else []
    scope = scope_of(*headers, *([ASKS] if asks else []), method=method)
    return call(CorsHeaders(reads_everything, cors=Cors(origins)), scope, Client([b""]))


def test_an_origin_that_was_named_may_read_the_answer_and_what_it_exposes() -> None:
    headers = answered(HERE, THERE, origin=THERE).headers

    assert headers["access-control-allow-origin"] == THERE
    assert {"X-Request-Id", "Server-Timing", "Retry-After"} <= {*headers["access-control-expose-headers"].split(", ")}
    assert headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize(
    "origin", ["https://c.example", "https://a.example.evil.example", "http://a.example", "https://A.example", "null"]
)
def test_no_other_origin_may_and_caches_know_that_it_depends(origin: str) -> None:
    headers = answered(HERE, origin=origin).headers

    assert "access-control-allow-origin" not in headers
    assert headers["vary"] == "Origin"


def test_a_request_that_is_no_browsers_is_told_nothing_but_that_it_depends() -> None:
    assert set(answered(HERE, origin=None).headers) == {"vary"}
    assert answered("*", origin=None).headers == {}


def test_all_origins_are_told_the_same_and_never_with_cookies() -> None:
    headers = answered("*", origin=THERE).headers

    assert headers["access-control-allow-origin"] == "*"
    assert {"vary", "access-control-allow-credentials"} & set(headers) == set()


def test_a_browser_that_asks_beforehand_is_answered_at_once() -> None:
    client = answered(HERE, origin=HERE, method="OPTIONS", asks=True)

    assert (client.sent[0]["status"], client.body, client.read) == (204, b"", 0)
    assert "POST" in client.headers["access-control-allow-methods"]
    assert {"Authorization", "X-Api-Key"} <= {*client.headers["access-control-allow-headers"].split(", ")}


@pytest.mark.parametrize("origins", [(HERE,), ()])
def test_a_browser_that_asks_for_another_page_is_told_that_it_may_not(origins: tuple[str, ...]) -> None:
    """And not that a key is missing: browsers ask without one."""
    client = answered(*origins, origin=THERE, method="OPTIONS", asks=True)

    assert (client.sent[0]["status"], client.read) == (403, 0)
    assert b"origin-not-allowed" in client.body
    assert THERE.encode() in client.body
    assert "access-control-allow-origin" not in client.headers
    assert client.headers.get("vary") == ("Origin" if origins else None)


@pytest.mark.parametrize(("origin", "question"), [(HERE, None), (None, ASKS)])
def test_any_other_question_is_the_apps(origin: str | None, question: tuple[str, str] | None) -> None:
    client = answered(HERE, origin=origin, method="OPTIONS", asks=question is not None)

    assert client.sent[0]["status"] == 200
    assert "access-control-allow-methods" not in client.headers


def test_nothing_is_told_where_no_origin_was_named() -> None:
    assert answered(origin=HERE).headers == {}
