"""A client that goes before it is answered: what is done for it is cancelled, its place in the line is free at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect
from starlette.types import Receive


@contextlib.asynccontextmanager
async def cancelled_when_gone(receive: Receive) -> AsyncIterator[None]:
    """Cancel what the block waits for as soon as the client has gone.

    Args:
        receive: the request's own, whose body has been read: all that is left to receive is the client's departure.

    Raises:
        ClientDisconnect: it has gone; nobody is there to be answered.
    """
    working = asyncio.current_task()
    if working is None:
        raise RuntimeError("only a task can be cancelled")
    watching = asyncio.create_task(_cancel_when_gone(receive, working))
    try:
        yield
    except asyncio.CancelledError:
        if watching.done() and working.uncancel() == 0:  # otherwise someone else cancels as well
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()


async def _cancel_when_gone(receive: Receive, working: "asyncio.Task[object]") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    working.cancel()
