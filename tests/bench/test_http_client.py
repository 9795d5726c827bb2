"""The clients that count: what they call an answer, and what they call lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bench.http_client import CUT, REFUSED, Line, asking, get

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def answering(*answers: bytes) -> Serve:
    """Each request of a connection gets the next of these, then the connection ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            for answer in answers:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)

    return serve


@contextlib.asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[int]:
    """The port of a server that does so; every connection is over at the end."""
    tasks_before_it = len(asyncio.all_tasks())
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    while len(asyncio.all_tasks()) > tasks_before_it:
        await asyncio.sleep(0.001)


async def fates_of(serve: Serve, *, requests: int) -> list[str]:
    async with served(serve) as port:
        with Line(port) as line:
            return [(await line.ask(get("/"))).fate for _ in range(requests)]


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (OK, "200"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, "200"),
        (OK[:-1], CUT),
        (b"HTTP/1.1 200 OK\r\n", CUT),
        (b"", CUT),
    ],
)
async def test_only_a_whole_answer_is_an_answer(answer: bytes, fate: str) -> None:
    assert await fates_of(answering(answer), requests=1) == [fate]


async def test_a_problem_is_called_by_its_slug() -> None:
    body = b'{"type": "urn:finial:problem:queue-full"}'
    head = f"HTTP/1.1 503 Busy\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"

    assert await fates_of(answering(head.encode() + body), requests=1) == ["503 queue-full"]


async def test_a_connection_that_was_said_to_close_is_not_used_again() -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    assert await fates_of(answering(closing), requests=2) == ["200", "200"]


async def test_a_connection_that_is_closed_without_a_word_costs_the_next_request() -> None:
    assert await fates_of(answering(OK), requests=3) == ["200", CUT, "200"]


async def test_nobody_at_the_door_is_a_refusal() -> None:
    async with served(answering(OK)) as port:
        pass

    with Line(port) as line:
        assert (await line.ask(get("/"))).fate == REFUSED


async def test_clients_account_for_every_request_they_begin() -> None:
    counted = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                counted.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(OK)

    async with served(serve) as port, asking(port, [get("/")], clients=3) as ledger:
        while ledger.begun < 30:
            await asyncio.sleep(0)

    assert ledger.fates == {"200": ledger.begun}
    assert len(counted) == ledger.begun
