"""A connection ends, whatever its client leaves unread; the whole road is in tests/integration/test_crowds.py."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from service.closing import ClosingConnection
from service.departures import DEPARTURE, Departure
from tests.service.raw_http import LIVE

pytestmark = pytest.mark.anyio
REQUEST = LIVE


class Stuck(asyncio.Transport):
    """A transport whose client reads nothing: what is written stays, and closing waits for that."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing, self.reads = False, True
        self.aborted = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True
        self.aborted.set()

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": b"x"})


class Patient:
    """An app that answers never, and keeps what it is told after the request."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def __call__(self, _scope: Scope, receive: Receive, _send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        self.told.append("asked")
        self.told.append((await receive())["type"])
        await asyncio.Event().wait()


def connected(app: object) -> tuple[ClosingConnection, Stuck]:
    """A connection and its transport."""
    config = Config(app, lifespan="off", log_config=None)  # type: ignore[arg-type]
    connection = ClosingConnection(config=config, server_state=ServerState(), app_state={}, send_s=0.01)
    transport = Stuck()
    connection.connection_made(transport)
    return connection, transport


async def answered(connection: ClosingConnection, transport: Stuck, request: bytes) -> None:
    connection.data_received(request)
    async with asyncio.timeout(10):
        while not transport.written.endswith(b"x"):
            await asyncio.sleep(0)


async def is_cut_off(transport: Stuck) -> bool:
    async with asyncio.timeout(10):
        return await transport.aborted.wait()


async def test_what_is_left_when_an_answer_ends_the_connection_is_not_waited_for_long() -> None:
    connection, transport = connected(answer)
    await answered(connection, transport, REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    assert await is_cut_off(transport)


async def test_nor_is_what_is_left_when_keep_alive_ends() -> None:
    """It lies below uvloop's high water, so that nothing else would ever look at it."""
    connection, transport = connected(answer)
    await answered(connection, transport, REQUEST)
    connection.timeout_keep_alive_handler()

    assert await is_cut_off(transport)


async def test_a_client_that_reads_a_little_while_it_is_closed_has_no_more_time_for_ever() -> None:
    """Below low water the clock of a connection that is open stops; of one that closes it begins again."""
    connection, transport = connected(answer)
    await answered(connection, transport, REQUEST)
    connection.pause_writing()
    connection.close()
    connection.resume_writing()

    assert await is_cut_off(transport)


async def test_a_client_that_has_read_everything_is_not_cut_off() -> None:
    connection, transport = connected(answer)
    await answered(connection, transport, REQUEST)
    transport.written = b""
    connection.close()
    await asyncio.sleep(0.05)

    assert transport.closing
    assert not transport.aborted.is_set()


@pytest.mark.parametrize("requests", [1, 2])
@pytest.mark.parametrize("end", [ClosingConnection.cut_off, lambda connection: connection.connection_lost(None)])
async def test_whoever_is_answering_learns_that_the_client_has_gone(
    requests: int, end: Callable[[ClosingConnection], None]
) -> None:
    """uvicorn tells only the request that it has read last."""
    app = Patient()
    connection, _ = connected(app)
    connection.data_received(REQUEST * requests)
    await came(app, "asked")
    end(connection)

    await came(app, "http.disconnect")
    for task in connection.tasks:
        task.cancel()


async def came(app: Patient, what: str) -> None:
    async with asyncio.timeout(10):
        while what not in app.told:
            await asyncio.sleep(0)


@pytest.mark.parametrize("end", [ClosingConnection.cut_off, lambda connection: connection.connection_lost(None)])
async def test_the_departure_of_a_client_is_noted_in_the_request_that_is_answered(
    end: Callable[[ClosingConnection], None],
) -> None:
    scopes = list[Scope]()
    app = Patient()

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    connection, transport = connected(noting)
    connection.data_received(REQUEST * 2)
    await came(app, "asked")
    departure: Departure = scopes[0]["state"][DEPARTURE]
    assert not departure.has_gone()
    connection.flow.pause_reading()
    departure.listen()
    assert transport.reads
    end(connection)

    assert departure.has_gone()
    for task in connection.tasks:
        task.cancel()


async def test_a_client_that_goes_after_its_answer_has_not_departed_from_it() -> None:
    scopes = list[Scope]()

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await answer(scope, receive, send)

    connection, transport = connected(noting)
    await answered(connection, transport, REQUEST)
    connection.connection_lost(None)
    departure: Departure = scopes[0]["state"][DEPARTURE]
    assert not departure.has_gone()
