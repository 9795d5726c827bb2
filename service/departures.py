"""A client that goes before it is answered: what is done for it is cancelled, its place in the line is free at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

DEPARTURE = "departure"
"""Key of a scope's state: the `Departure` of its client, where the connection tells of it."""


class Departure:
    """Whether a client has gone before its request was answered; told by its connection, on the event loop.

    Attributes:
        listen: as given.
        then: called when it goes.

    Args:
        listen: lets the connection read on, which it may not while much of a body lies there: else it learns nothing.
    """

    def __init__(self, listen: Callable[[], object] = lambda: None) -> None:
        self.listen, self._has_gone = listen, False
        self.then: Callable[[], object] | None = None

    def has_gone(self) -> bool:
        """Whether it has, so far."""
        return self._has_gone

    def note(self) -> None:
        """It has gone. Told again, nothing more happens: who is cancelled twice seems cancelled by another, too."""
        if self._has_gone:
            return
        self._has_gone = True
        if self.then is not None:
            self.then()


@contextlib.asynccontextmanager
async def cancelled_when_gone(scope: Scope, receive: Receive) -> AsyncIterator[None]:
    """Cancel what the block waits for as soon as the client has gone.

    Args:
        scope: the request's; its connection tells of the departure, if it is one of ours. That spares a task.
        receive: the request's own, whose body has been read: all that is left to receive is the client's departure.

    Raises:
        ClientDisconnect: it has gone; nobody is there to be answered.
    """
    working = asyncio.current_task()
    if working is None:
        raise RuntimeError("only a task can be cancelled")
    departure: Departure | None = scope.get("state", {}).get(DEPARTURE)
    if departure is None:
        async with _received(receive) as departure, _cancelled_by(departure, working):
            yield
    else:
        async with _cancelled_by(departure, working):
            yield


@contextlib.asynccontextmanager
async def _cancelled_by(departure: Departure, working: "asyncio.Task[object]") -> AsyncIterator[None]:
    if departure.has_gone():
        raise ClientDisconnect
    departure.then = working.cancel
    departure.listen()
    try:
        yield
    except asyncio.CancelledError:
        if departure.has_gone() and working.uncancel() == 0:  # otherwise someone else cancels as well
            raise ClientDisconnect from None
        raise
    finally:
        departure.then = None


@contextlib.asynccontextmanager
async def _received(receive: Receive) -> AsyncIterator[Departure]:
    """The departure as any ASGI server tells it: a task of its own has to wait for it."""
    departure = Departure()
    watching = asyncio.create_task(_note_when_gone(receive, departure))
    try:
        yield departure
    finally:
        watching.cancel()


async def _note_when_gone(receive: Receive, departure: Departure) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    departure.note()
