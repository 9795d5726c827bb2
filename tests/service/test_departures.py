"""What is done for a client ends when it goes, and only then."""

import asyncio
import contextlib

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope

from service.departures import DEPARTURE, Departure, cancelled_when_gone

pytestmark = pytest.mark.anyio


class Client:
    """Receives as a request does whose body has been read: nothing, until the client goes."""

    def __init__(self) -> None:
        self.scope: Scope = {}
        self._gone = asyncio.Event()

    def go(self) -> None:
        self._gone.set()

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}


class ClientOfOurs(Client):
    """One whose connection tells that it goes."""

    def __init__(self) -> None:
        super().__init__()
        self._departure = Departure()
        self.scope = {"state": {DEPARTURE: self._departure}}

    def go(self) -> None:
        self._departure.note()

    async def receive(self) -> Message:
        raise AssertionError("nobody need ask")


@pytest.fixture(params=[Client, ClientOfOurs])
async def client(request: pytest.FixtureRequest) -> Client:
    kind: type[Client] = request.param
    return kind()


async def test_work_for_a_client_that_stays_is_not_disturbed(client: Client) -> None:
    tasks_before = asyncio.all_tasks()

    async with cancelled_when_gone(client.scope, client.receive):
        await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == tasks_before, "nobody watches any more"


async def test_a_client_that_goes_when_the_work_is_done_disturbs_nobody(client: Client) -> None:
    async with cancelled_when_gone(client.scope, client.receive):
        await asyncio.sleep(0)
    client.go()
    await asyncio.sleep(0)


async def test_work_for_a_client_that_goes_is_cancelled_where_it_waits(client: Client) -> None:
    was_cancelled = False
    asyncio.get_running_loop().call_soon(client.go)

    with pytest.raises(ClientDisconnect):
        async with cancelled_when_gone(client.scope, client.receive):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                was_cancelled = True
                raise

    assert was_cancelled
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "what comes after is not cancelled as well"


async def test_a_departure_that_is_told_twice_while_work_ends_is_one() -> None:
    """A connection tells when it is cut off, and when it is lost; work on a thread may end between."""
    client = ClientOfOurs()
    loop = asyncio.get_running_loop()
    loop.call_soon(client.go)
    loop.call_soon(loop.call_soon, client.go)

    with pytest.raises(ClientDisconnect):
        async with cancelled_when_gone(client.scope, client.receive):
            try:
                await asyncio.sleep(30)
            finally:
                for _ in range(3):  # as a lane that is in use until its thread has ended
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.sleep(0.001)
    assert client.scope["state"][DEPARTURE].has_gone()


async def test_nothing_is_done_long_for_a_client_that_has_gone_before(client: Client) -> None:
    client.go()

    with pytest.raises(ClientDisconnect):
        async with cancelled_when_gone(client.scope, client.receive):
            await asyncio.Event().wait()


async def test_a_task_that_someone_else_cancels_is_cancelled(client: Client) -> None:
    """A service that shuts down ends what is left; nobody may take that for a client that has gone."""

    async def work() -> None:
        async with cancelled_when_gone(client.scope, client.receive):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_connection_that_has_stopped_reading_reads_on_or_would_never_know() -> None:
    listened = list[bool]()
    scope: Scope = {"state": {DEPARTURE: Departure(lambda: listened.append(True))}}
    async with cancelled_when_gone(scope, Client().receive):
        assert listened == [True]
