"""Every request has a name that client and log share."""

import pytest
from starlette.types import Receive, Scope, Send

from service.request_ids import RequestIds, request_id_of
from tests.service.asgi import Client, call, reads_nothing, scope_of


def test_a_client_may_name_its_request() -> None:
    client = call(RequestIds(reads_nothing), scope_of(("X-Request-Id", "order-66/a+b=")), Client())

    assert client.headers["x-request-id"] == "order-66/a+b="


@pytest.mark.parametrize("strange", ["", "two words", 'quote"', "x" * 129, "line\tbreak"])
def test_a_strange_name_is_replaced(strange: str) -> None:
    """It ends up in logs and headers, where it must not be able to pretend anything."""
    client = call(RequestIds(reads_nothing), scope_of(("X-Request-Id", strange)), Client())

    assert client.headers["x-request-id"] != strange
    assert len(client.headers["x-request-id"]) == 32


def test_the_app_sees_the_name_that_the_client_gets() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(request_id_of(scope))
        await reads_nothing(scope, receive, send)

    client = call(RequestIds(app), scope_of(), Client())

    assert seen == [client.headers["x-request-id"]]


def test_two_requests_have_two_names() -> None:
    app = RequestIds(reads_nothing)
    one, other = (call(app, scope_of(), Client()) for _ in range(2))

    assert one.headers["x-request-id"] != other.headers["x-request-id"]
