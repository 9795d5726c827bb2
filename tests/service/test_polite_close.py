"""A client that is refused early gets to read why."""

import asyncio

import pytest

from service import polite_close
from service.polite_close import LINGER_BYTES, PoliteClose
from tests.service.asgi import Client, call, reads_everything, reads_nothing, scope_of


def close_politely(app, *, draining: bool = False) -> PoliteClose:  # type: ignore[no-untyped-def]
    return PoliteClose(app, is_draining=lambda: draining)


def test_a_request_that_was_read_keeps_its_connection() -> None:
    client = call(close_politely(reads_everything), scope_of(("Content-Length", "4")), Client([b"ab", b"cd"]))

    assert client.body == b"abcd"
    assert "connection" not in client.headers


@pytest.mark.parametrize("headers", [[], [("Content-Length", "0")]])
def test_a_request_without_a_body_keeps_its_connection(headers: list[tuple[str, str]]) -> None:
    client = call(close_politely(reads_nothing), scope_of(*headers, method="GET"), Client())

    assert "connection" not in client.headers
    assert client.read == 0


def test_an_early_answer_closes_the_connection_after_reading_on() -> None:
    """The answer is whole before the rest of the body is read, and the connection is closed after that."""
    client = Client([b"ab", b"cd"])
    call(close_politely(reads_nothing), scope_of(("Content-Length", "4")), client)

    assert client.headers["connection"] == "close"
    assert client.body == b"no, thanks"
    assert client.read == 2
    assert [message.get("more_body") for message in client.sent[1:]] == [True, True, True, False]


def test_it_reads_on_for_a_bounded_length() -> None:
    piece = b"x" * (LINGER_BYTES // 4)
    client = Client([piece] * 100)
    call(close_politely(reads_nothing), scope_of(("Transfer-Encoding", "chunked")), client)

    assert client.read == 4


def test_it_reads_on_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polite_close, "LINGER_S", 0.02)
    client = Client([b"x"], stays_silent=True)
    call(close_politely(reads_nothing), scope_of(("Content-Length", "10")), client)

    assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_while_draining_clients_are_sent_elsewhere() -> None:
    client = call(close_politely(reads_everything, draining=True), scope_of(("Content-Length", "1")), Client([b"x"]))

    assert client.headers["connection"] == "close"


def test_a_cancelled_request_whose_answer_is_given_ends_at_once() -> None:
    """As when the grace is over: nothing is left but to read what nobody needs."""

    async def cancelled_while_it_reads_on(client: Client) -> None:
        app = close_politely(reads_nothing)
        request = asyncio.create_task(app(scope_of(("Content-Length", "10")), client.receive, client.send))
        while client.body != b"no, thanks":
            await asyncio.sleep(0)
        request.cancel()
        await request
        assert request.cancelling() == 0

    client = Client([b"x"], stays_silent=True)
    asyncio.run(cancelled_while_it_reads_on(client))

    assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
