"""Runs the app in uvicorn, with an end that loses nothing: first not ready, then no new connections, then exit 0."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from service.app import create_app
from service.closing import ClosingConnection
from service.connection import ConnectionLimits
from service.direct_connection import DirectConnection
from service.failures import LogFailures
from service.gate import Gate
from service.listener import BACKLOG, allow_descriptors, let_in_the_last
from service.runtime import Lifecycle, Opened, Runtime
from service.short_way import ShortWay

EXIT_STUCK = 1
OTHER_DESCRIPTORS = 512
"""Files that are open besides connections: models, pipes, logs, refusals in a flood."""
STUCK_S = 10.0
"""How much longer than the grace the end may take before the process is ended from within."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TICK_S = 0.02

logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """uvicorn's server; a signal makes it not ready at once and starts its end, a further one shortens that.

    Args:
        config: uvicorn's.
        lifecycle: shared with the app.
        drain_delay_s: how long it still accepts connections, so that balancers can notice.
        grace_s: how long requests in flight may take after that.
        on_started: called when connections are accepted.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        lifecycle: Lifecycle,
        drain_delay_s: float = 0.0,
        grace_s: float = 20.0,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._lifecycle, self._drain_delay_s, self._grace_s = lifecycle, drain_delay_s, grace_s
        self._drain_until: float | None = None
        self._finishing = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal. A further one ends the drain delay; during the grace it ends that."""
        if self._finishing:
            self._grace_s = 0.0
        elif self._lifecycle.draining:
            self._drain_delay_s = 0.0
        self._lifecycle.draining = True
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the app, then the door."""
        await super().startup(sockets=sockets)
        self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop accepting connections now; asked ten times a second."""
        if not await super().on_tick(counter):
            return False
        self._lifecycle.draining = True
        if self._drain_until is None:
            self._drain_until = time.monotonic() + self._drain_delay_s
        return self._drain_delay_s == 0 or time.monotonic() >= self._drain_until

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let in who is at the door, close it, answer what was asked, and close the app."""
        self._finishing = True
        watchdog = _end_if_stuck(self._grace_s + STUCK_S)
        for listener in sockets or []:
            if not self._lifecycle.shares_listener:
                await let_in_the_last(listener)
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._finish()
        await self.lifespan.shutdown()
        watchdog.cancel()

    async def _finish(self) -> None:
        """Wait for what is under way, for as long as the grace lasts; what is left then is told so."""
        begun = time.monotonic()
        state = self.server_state
        while (state.connections or state.tasks) and time.monotonic() - begun < self._grace_s:
            await asyncio.sleep(_TICK_S)
        for task in list(state.tasks):
            task.cancel()
        for connection in list(state.connections):
            cast("ClosingConnection", connection).end_grace()
        if state.tasks:
            logger.warning("grace is over", extra={"cancelled": len(state.tasks)})
            await asyncio.wait(set(state.tasks), timeout=1.0)
        if state.connections:
            logger.warning("clients took no answer", extra={"cut_off": len(state.connections)})

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving; unlike uvicorn's, do not die of them afterwards: a clean end is exit 0."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run(
    opened: Opened,
    listener: socket.socket,
    *,
    on_started: Callable[[], None] = lambda: None,
    was_signalled: Callable[[], bool] = lambda: False,
) -> None:
    """Serve with a runtime on a listening socket until a signal comes, then end cleanly."""
    settings = opened.runtime.settings
    allow_descriptors(settings.max_connections + OTHER_DESCRIPTORS)
    server = Server(
        _config_of(opened),
        lifecycle=opened.runtime.lifecycle,
        drain_delay_s=settings.drain_delay_s,
        grace_s=settings.grace_s,
        on_started=on_started,
    )
    with server.capture_signals():  # from here on a signal is never lost on the way to the loop
        if was_signalled():
            server.handle_exit(signal.SIGTERM, None)
        server.run(sockets=[listener])


def _config_of(opened: Opened) -> uvicorn.Config:
    settings = opened.runtime.settings
    return uvicorn.Config(
        LogFailures(create_app(settings, opened)),
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", _connections(opened.runtime)),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # else uvicorn reads a variable of its own for whom to believe
        backlog=BACKLOG,
        timeout_keep_alive=math.ceil(settings.keep_alive_s),
    )


def _connections(runtime: Runtime) -> Callable[..., DirectConnection]:
    settings, lifecycle = runtime.settings, runtime.lifecycle
    limits = ConnectionLimits(
        max_connections=settings.max_connections,
        head_bytes=settings.max_headers,
        head_s=settings.headers_timeout_s,
        send_s=settings.send_timeout_s,
    )
    gate = Gate(
        runtime.admission,
        runtime.counts,
        runtime.log,
        guard=runtime.access.guard,
        cors=runtime.access.cors,
        is_draining=lambda: lifecycle.draining,
    )
    return partial(DirectConnection, limits=limits, gate=gate, short_way=ShortWay(runtime))


def _end_if_stuck(after_s: float) -> threading.Timer:
    """A computation that hangs must not hold the process for ever."""

    def end() -> None:
        logger.error("shutdown is stuck; ending the process", extra={"after_s": after_s})
        logging.shutdown()  # what waits to be written would be lost
        os._exit(EXIT_STUCK)

    timer = threading.Timer(after_s, end)
    timer.daemon = True
    timer.start()
    return timer
