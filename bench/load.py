"""A client that costs little: closed loops, and open ones whose latencies count from when a request was due.

Closed: each of the callers asks again as soon as it has its answer. Open: requests are due at a constant rate, whatever
has been answered; one that finds every connection busy waits for a free one, and its wait is part of its latency, so
that a server that stands still is not asked less and looks no better for it.

There may be more connections than callers: then each request goes over one that is drawn of those that are idle. Where
a server's processes each accept connections of their own, the few connections of a few callers may all be one
process's; drawn ones fall to all of them, now and then to a busy one, as those of many clients do.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import uvloop

from bench.connection import OK, Connection

LIMIT_S = 20.0  # a request that is not answered for so long has failed
AGAIN_S = 0.02  # until a lost connection is opened again
AT_ONCE = 64  # connections that are opened in one burst
CUT, LATE = "cut off", "not answered in time"


@dataclass(frozen=True)
class Refusal:
    """What became of a request that did not bring 200.

    Attributes:
        seconds: from when it was due to the end of the answer or of the connection.
        answer: head and body as they came; empty where it was cut off.
    """

    seconds: float
    answer: bytes


@dataclass
class Load:
    """What became of the requests of a window.

    Attributes:
        seconds: how long the window was.
        answered: how many answers of status 200 came within it.
        latencies_s: of the answers that count: closed, those within the window; open, all that were due within it.
        failures: what became of the others, by reason.
        refusals: each of them, but those that nothing came of.
        client_s: processor time of this process within the window.
        watched: what `watch` said at its begin and its end.
    """

    seconds: float
    answered: int = 0
    latencies_s: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    client_s: float = 0.0
    watched: list[float] = field(default_factory=list)


def schedule(per_s: float, seconds: float) -> list[float]:
    """When requests are due, in s from the begin: a constant rate, the first at 0."""
    return [number / per_s for number in range(int(per_s * seconds))]


class Crowd:
    """Callers of one server.

    Args:
        port: where it listens on this machine.
        request: what all of them ask.
        callers: how many requests are in flight at most.
        connections: over how many they are sent; never fewer than callers.
    """

    def __init__(self, port: int, request: bytes, *, callers: int, connections: int = 0) -> None:
        self._port, self._request, self._callers = port, request, callers
        self._count = max(callers, connections)
        self._draw = random.Random(0)  # noqa: S311 -- a place in a list, not a secret
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._due: deque[float] = deque()
        self._ended = 0
        self._closed_loop = self._over = False
        self._opens = self._ends = float("inf")
        self._load: Load | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def closed(self, *, seconds: float, warm_s: float, watch: Callable[[], float]) -> Load:
        """Each asks again at once. It counts once all of them have been answered, after `warm_s` at the soonest."""
        self._closed_loop = True
        await self._connect()
        begun = time.monotonic()
        self._due.extend([begun] * self._callers)
        self._next()
        await asyncio.sleep(warm_s)
        while self._ended < self._callers and time.monotonic() < begun + warm_s + LIMIT_S:
            await asyncio.sleep(0.002)
        load = self._begin(seconds, watch)
        await asyncio.sleep(seconds)
        self._end(load, watch)
        await self._finish()
        return load

    async def open(self, *, per_s: float, seconds: float, warm_s: float, watch: Callable[[], float]) -> Load:
        """Requests are due at a constant rate."""
        await self._connect()
        warm, due = schedule(per_s, warm_s), schedule(per_s, seconds)
        await self._arrive(warm, warm_s, begin=time.monotonic())
        load = self._begin(seconds, watch)
        await self._arrive(due, seconds, begin=self._opens)
        self._end(load, watch)
        await self._finish()
        return load

    def _begin(self, seconds: float, watch: Callable[[], float]) -> Load:
        self._load = load = Load(seconds)
        load.watched.append(watch())
        load.client_s = -time.process_time()
        self._opens = time.monotonic()
        self._ends = self._opens + seconds
        return load

    def _end(self, load: Load, watch: Callable[[], float]) -> None:
        load.client_s += time.process_time()
        load.watched.append(watch())

    async def _arrive(self, times: list[float], seconds: float, *, begin: float) -> None:
        for due in times:
            while (left := begin + due - time.monotonic()) > 0:
                await asyncio.sleep(left)
            self._due.append(begin + due)
            self._next()
        await asyncio.sleep(max(0.0, begin + seconds - time.monotonic()))

    def _next(self) -> None:
        while self._due and self._idle:
            self._take().ask(self._due.popleft())

    def _take(self) -> Connection:
        place = self._draw.randrange(len(self._idle))
        self._idle[place], self._idle[-1] = self._idle[-1], self._idle[place]
        return self._idle.pop()

    def _on_end(self, connection: Connection, due_s: float, status: int, answer: bytes) -> None:
        now = time.monotonic()
        if due_s:
            self._ended += 1
            self._count_in(due_s, now, status, answer)
        if connection.transport is None or connection.closes:
            self._drop(connection)
        else:
            self._idle.append(connection)
        if due_s and self._closed_loop and not self._over:
            self._due.append(now)
        self._next()

    def _drop(self, connection: Connection) -> None:
        if connection not in self._all:
            return
        self._all.discard(connection)
        if connection.transport:
            connection.transport.abort()
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        if not self._over:
            task = asyncio.ensure_future(self._replace())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _count_in(self, due_s: float, now: float, status: int, answer: bytes) -> None:
        load = self._load
        if load is None:
            return
        within = now <= self._ends
        counts = within if self._closed_loop else self._opens <= due_s <= self._ends
        if status == OK:
            load.answered += within
            if counts:
                load.latencies_s.append(now - due_s)
        elif counts:
            load.failures[str(status) if status else CUT] += 1
            load.refusals.append(Refusal(now - due_s, answer))

    async def _replace(self) -> None:
        while not self._over:
            await asyncio.sleep(AGAIN_S)
            with contextlib.suppress(OSError):
                await self._open_one()
                break
        self._next()

    async def _connect(self) -> None:
        for begin in range(0, self._count, AT_ONCE):  # a burst, so that all processes of a server are woken
            await asyncio.gather(*(self._open_one() for _ in range(begin, min(begin + AT_ONCE, self._count))))

    async def _open_one(self) -> None:
        loop = asyncio.get_running_loop()
        make = lambda: Connection(self._request, self._on_end)  # noqa: E731
        _, connection = await loop.create_connection(make, "127.0.0.1", self._port)
        self._all.add(connection)
        self._idle.append(connection)

    async def _finish(self) -> None:
        """Wait for what is in flight; what is not answered by then has failed."""
        if self._closed_loop:
            self._over = True
            self._due.clear()  # of callers who had no connection
        give_up = time.monotonic() + LIMIT_S
        while (self._due or self._in_flight()) and time.monotonic() < give_up:
            await asyncio.sleep(0.005)
        self._over = True
        if self._load is not None and (late := len(self._due) + self._in_flight()):
            self._load.failures[LATE] += late
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # or a connection is left, and its loop never ends
        for connection in list(self._all):
            connection.due_s = None
            if connection.transport:
                connection.transport.abort()
        await asyncio.sleep(0)

    def _in_flight(self) -> int:
        return sum(connection.due_s is not None for connection in self._all)


def closed_loop(
    port: int,
    request: bytes,
    *,
    callers: int,
    seconds: float,
    warm_s: float,
    connections: int = 0,
    watch: Callable[[], float] = time.monotonic,
) -> Load:
    """So many callers that ask again and again, for a while; see `Crowd`."""
    crowd = Crowd(port, request, callers=callers, connections=connections)
    return uvloop.run(crowd.closed(seconds=seconds, warm_s=warm_s, watch=watch))


def open_loop(
    port: int,
    request: bytes,
    *,
    callers: int,
    per_s: float,
    seconds: float,
    warm_s: float,
    watch: Callable[[], float] = time.monotonic,
) -> Load:
    """Requests at a constant rate, over at most so many connections."""
    crowd = Crowd(port, request, callers=callers)
    return uvloop.run(crowd.open(per_s=per_s, seconds=seconds, warm_s=warm_s, watch=watch))
