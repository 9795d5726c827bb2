"""What is done for a client ends when it goes, and only then."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from service.departures import cancelled_when_gone

pytestmark = pytest.mark.anyio


class Client:
    """Receives as a request does whose body has been read: nothing, until the client goes."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def test_work_for_a_client_that_stays_is_not_disturbed() -> None:
    tasks_before = asyncio.all_tasks()

    async with cancelled_when_gone(Client().receive):
        await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == tasks_before, "nobody watches any more"


async def test_work_for_a_client_that_goes_is_cancelled_where_it_waits() -> None:
    client, was_cancelled = Client(), False
    asyncio.get_running_loop().call_soon(client.gone.set)

    with pytest.raises(ClientDisconnect):
        async with cancelled_when_gone(client.receive):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                was_cancelled = True
                raise

    assert was_cancelled
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "what comes after is not cancelled as well"


async def test_a_task_that_someone_else_cancels_is_cancelled() -> None:
    """A service that shuts down ends what is left; nobody may take that for a client that has gone."""

    async def work() -> None:
        async with cancelled_when_gone(Client().receive):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
