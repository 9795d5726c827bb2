"""Runs the app in uvicorn, with an end that loses nothing: first not ready, then no new connections, then exit 0."""

import contextlib
import json
import math
import signal
import socket
import sys
import time
from collections.abc import Iterator
from types import FrameType

import uvicorn

from service.app import create_app
from service.runtime import Lifecycle
from service.settings import ServiceSettings

KEEP_ALIVE_S = 75  # longer than the 60 s after which common load balancers drop an idle connection themselves
BACKLOG = 2048

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """uvicorn's server; a signal makes it not ready at once and starts its end.

    Args:
        config: uvicorn's.
        lifecycle: shared with the app.
        drain_delay_s: how long it still accepts connections, so that balancers can notice.
    """

    def __init__(self, config: uvicorn.Config, *, lifecycle: Lifecycle, drain_delay_s: float = 0.0) -> None:
        super().__init__(config)
        self._lifecycle, self._drain_delay_s = lifecycle, drain_delay_s
        self._drain_until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal; the second one cuts the drain delay short."""
        if self._lifecycle.draining:
            self._drain_delay_s = 0.0
        self._lifecycle.draining = True
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop accepting connections now; asked ten times a second."""
        if not await super().on_tick(counter):
            return False
        self._lifecycle.draining = True
        if self._drain_until is None:
            self._drain_until = time.monotonic() + self._drain_delay_s
        return self._drain_delay_s == 0 or time.monotonic() >= self._drain_until

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving; unlike uvicorn's, do not die of them afterwards: a clean end is exit 0."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(settings: ServiceSettings, listener: socket.socket) -> None:
    """Serve on a listening socket until a signal comes, then end cleanly."""
    lifecycle = Lifecycle()
    config = uvicorn.Config(
        create_app(settings, lifecycle),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.grace_s),
    )
    Server(config, lifecycle=lifecycle, drain_delay_s=settings.drain_delay_s).run(sockets=[listener])


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket; from here on connections wait instead of being refused.

    Raises:
        OSError: the address is taken, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def announce(listener: socket.socket) -> None:
    """Say on stdout, in one line of JSON, where the service listens."""
    host, port = listener.getsockname()[:2]
    address = f"[{host}]" if ":" in host else host
    line = {"event": "listening", "url": f"http://{address}:{port}", "host": host, "port": port}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
