"""A client that costs little: closed loops, and open ones whose latencies count from when a request was due.

Closed: each of the callers asks again as soon as it has its answer. Open: requests are due at a constant rate, whatever
has been answered; one that finds every connection busy waits for a free one, and its wait is part of its latency, so
that a server that stands still is not asked less and looks no better for it.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import uvloop

LIMIT_S = 20.0  # a request that is not answered for so long has failed
CUT, LATE = "cut off", "not answered in time"
_LENGTH, _CHUNKED, _LAST_CHUNK = b"content-length:", b"transfer-encoding: chunked", b"0\r\n\r\n"


@dataclass
class Load:
    """What became of the requests of a window.

    Attributes:
        seconds: how long the window was.
        answered: how many answers of status 200 came within it.
        latencies_s: of the answers that count: closed, those within the window; open, all that were due within it.
        failures: what became of the others, by reason.
        client_s: processor time of this process within the window.
        watched: what `watch` said at its begin and its end.
    """

    seconds: float
    answered: int = 0
    latencies_s: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    client_s: float = 0.0
    watched: list[float] = field(default_factory=list)


class Caller(asyncio.Protocol):
    """A connection that has one request in flight at most.

    Args:
        request: head and body.
        on_end: told of each end: the caller, when the request was due, and 0 or the status, with which it ended.
    """

    def __init__(self, request: bytes, on_end: "Callable[[Caller, float, int], None]") -> None:
        self._request, self._on_end = request, on_end
        self._held, self._status = b"", 0
        self._missing: int | None = None
        self.due_s: float | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where requests go."""
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, due_s: float) -> None:
        """Send the request, which was due at that time.monotonic()."""
        self.due_s = due_s
        if self.transport is not None:
            self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Find the end of the answer; its status and its end are all that is looked at."""
        if self._missing is not None:
            self._missing -= len(data)
        else:
            self._held += data
            head, end, rest = self._held.partition(b"\r\n\r\n")
            if not end or (is_chunked(head) and not rest.endswith(_LAST_CHUNK)):
                return
            self._status = int(head[9:12])
            self._held, self._missing = b"", 0 if is_chunked(head) else length_of(head) - len(rest)
        if self._missing <= 0:
            self._missing = None
            self._end(self._status)

    def connection_lost(self, _: Exception | None) -> None:
        """A request that was in flight has failed."""
        self.transport = None
        self._held, self._missing = b"", None
        self._end(0)

    def _end(self, status: int) -> None:
        if self.due_s is not None or not status:
            due_s, self.due_s = self.due_s, None
            self._on_end(self, due_s or 0.0, status)


def is_chunked(head: bytes) -> bool:
    """Whether the body's end is marked instead of its length told."""
    return _CHUNKED in head.lower()


def length_of(head: bytes) -> int:
    """How long the body is that follows a head.

    Raises:
        ValueError: the head does not say.
    """
    _, found, rest = head.lower().partition(_LENGTH)
    if not found:
        raise ValueError(f"an answer without Content-Length: {head[:200]!r}")
    return int(rest.partition(b"\r\n")[0])


def schedule(per_s: float, seconds: float) -> list[float]:
    """When requests are due, in s from the begin: a constant rate, the first at 0."""
    return [number / per_s for number in range(int(per_s * seconds))]


class Crowd:
    """Callers of one server.

    Args:
        port: where it listens on this machine.
        request: what all of them ask.
        callers: how many connections there are.
    """

    def __init__(self, port: int, request: bytes, *, callers: int) -> None:
        self._port, self._request, self._count = port, request, callers
        self._idle: list[Caller] = []
        self._all: set[Caller] = set()
        self._due: deque[float] = deque()
        self._closed_loop = self._over = False
        self._load: Load | None = None
        self._opens, self._ends = 0.0, 0.0
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def closed(self, *, seconds: float, warm_s: float, watch: Callable[[], float]) -> Load:
        """Each caller asks as soon as it has its answer."""
        self._closed_loop = True
        await self._connect()
        for caller in list(self._idle):
            caller.ask(time.monotonic())
        self._idle.clear()
        await asyncio.sleep(warm_s)
        load = self._begin(seconds, watch)
        await asyncio.sleep(seconds)
        self._end(load, watch)
        await self._finish()
        return load

    async def open(self, *, per_s: float, seconds: float, warm_s: float, watch: Callable[[], float]) -> Load:
        """Requests are due at a constant rate."""
        await self._connect()
        await self._arrive(schedule(per_s, warm_s), warm_s)
        load = self._begin(seconds, watch)
        await self._arrive(schedule(per_s, seconds), seconds)
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

    async def _arrive(self, times: list[float], seconds: float) -> None:
        begin = time.monotonic()
        for due in times:
            while (left := begin + due - time.monotonic()) > 0:
                await asyncio.sleep(left)
            self._due.append(begin + due)
            self._next()
        await asyncio.sleep(max(0.0, begin + seconds - time.monotonic()))

    def _next(self) -> None:
        while self._due and self._idle:
            self._idle.pop().ask(self._due.popleft())

    def _on_end(self, caller: Caller, due_s: float, status: int) -> None:
        now = time.monotonic()
        if due_s:
            self._count_in(due_s, now, status)
        if caller.transport is None:
            self._all.discard(caller)
            if not self._over:
                self._keep(asyncio.ensure_future(self._replace()))
        elif self._closed_loop and not self._over:
            caller.ask(now)
        else:
            self._idle.append(caller)
            self._next()

    def _count_in(self, due_s: float, now: float, status: int) -> None:
        load = self._load
        if load is None:
            return
        within = now <= self._ends
        counts = within if self._closed_loop else self._opens <= due_s <= self._ends
        if status == 200:
            load.answered += within
            if counts:
                load.latencies_s.append(now - due_s)
        elif counts:
            load.failures[str(status) if status else CUT] += 1

    async def _replace(self) -> None:
        await asyncio.sleep(0.02)
        await self._open_one()
        if self._closed_loop and self._idle:
            self._idle.pop().ask(time.monotonic())
        self._next()

    async def _connect(self) -> None:
        for _ in range(self._count):
            await self._open_one()

    async def _open_one(self) -> None:
        loop = asyncio.get_running_loop()
        make = lambda: Caller(self._request, self._on_end)  # noqa: E731
        _, caller = await loop.create_connection(make, "127.0.0.1", self._port)
        self._all.add(caller)
        self._idle.append(caller)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self) -> None:
        """Wait for what is in flight; what is not answered by then has failed."""
        if self._closed_loop:
            self._over = True
        give_up = time.monotonic() + LIMIT_S
        while (self._due or self._in_flight()) and time.monotonic() < give_up:
            await asyncio.sleep(0.005)
        self._over = True
        if self._load is not None and (late := len(self._due) + self._in_flight()):
            self._load.failures[LATE] += late
        for caller in list(self._all):
            caller.due_s = None
            if caller.transport:
                caller.transport.abort()
        await asyncio.sleep(0)

    def _in_flight(self) -> int:
        return sum(caller.due_s is not None for caller in self._all)


def closed_loop(
    port: int,
    request: bytes,
    *,
    callers: int,
    seconds: float,
    warm_s: float,
    watch: Callable[[], float] = time.monotonic,
) -> Load:
    """So many callers that ask again and again, for a while; see `Crowd`."""
    crowd = Crowd(port, request, callers=callers)
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
