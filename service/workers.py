"""`--workers N`: a supervisor that opens the listener, starts N workers on it, and replaces those that die.

It serves nothing itself and has no threads. A worker is a fresh process (never a fork of one that has begun to
compute); it is told what to do by one line on its standard input, says on its standard output how far it is, and ends
by itself when its input ends: so none is left behind, however the supervisor goes.

The first worker accepts connections at once, so that probes are answered while models load. The others are started
when it has looked at the models, and accept when they have: so once the service was ready, no client meets a worker
that is not. Only where none is left that has looked, the next one accepts at once again.
"""

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, cast

from pydantic import BaseModel

from service.settings import ServiceSettings
from shared.cores import usable_cores

COMMAND = (sys.executable, "-m", "service.worker")
SERVES, LOOKED = b"serves", b"looked"
"""What a worker says, a line each: it accepts connections; it has looked at the models."""
EXIT_DONE, EXIT_FAILED = 0, 1
MAX_FAILED_STARTS = 5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
STEADY_S = 60.0
"""A worker that has lived for so long is replaced without a pause when it dies."""
KILL_AFTER_S = 15.0
"""How much longer than delay and grace the end of a worker may take."""

_LONGEST_SOCKET_NAME = 80
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger(__name__)


class Assignment(BaseModel):
    """What a worker is told.

    Attributes:
        settings: the service's, with this worker's share of the cores.
        listener: descriptor of the listening socket.
        index: its number, 0 to count - 1.
        count: how many there are.
        folder: where workers have a socket each, to ask one another for metrics.
        waits_for_models: whether to accept connections only when the models were looked at.
    """

    settings: ServiceSettings
    listener: int
    index: int
    count: int
    folder: Path
    waits_for_models: bool = False


@dataclass
class _Place:
    """One of the N places, and the worker that holds it."""

    index: int
    process: subprocess.Popen[bytes] | None = None
    serves: bool = False
    looked: bool = False
    started_at: float = 0.0
    start_at: float = 0.0
    failed_starts: int = 0
    pause_s: float = 0.0

    @property
    def has_more_to_say(self) -> bool:
        """Whether its worker has yet to say that it serves or that it has looked; either may come first."""
        return not (self.serves and self.looked)


class Supervisor:
    """Keeps its workers running until it is told to end.

    Args:
        settings: the service's; `workers` says how many.
        listener: a listening socket, which they inherit.
        folder: a private one, for their sockets.
        command: what starts a worker.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        listener: socket.socket,
        folder: Path,
        *,
        command: Sequence[str] = COMMAND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._listener, self._folder = settings, listener, folder
        self._command, self._clock = command, clock
        self._places = [_Place(index) for index in range(settings.workers)]
        self._looked = False
        self._signals = 0
        self._gave_up = False

    def run(self, *, was_signalled: Callable[[], bool] = lambda: False) -> int:
        """Supervise until a signal comes, or came before, and every worker has ended. Returns the exit code."""
        with self._handling_signals() as wakes:
            self._signals += was_signalled()
            while not self._signals and not self._gave_up:
                for place in self._places:
                    self._tend(place)
                self._wait(wakes)
            return self._end(wakes)

    # --- one place ---

    def _tend(self, place: _Place) -> None:
        if place.process is None:
            if self._clock() >= place.start_at and (place.index == 0 or self._looked):
                self._start(place)
        elif place.process.poll() is not None:
            self._note_end(place, place.process)
        elif place.has_more_to_say and (said := _said_by(place.process)):
            place.serves |= SERVES in said
            place.looked |= LOOKED in said
            self._looked |= place.looked
            place.failed_starts = 0
            if SERVES in said:
                logger.info("worker serves", extra={"worker": place.index, "pid": place.process.pid})

    def _start(self, place: _Place) -> None:
        assignment = Assignment(
            settings=share_of(self._settings),
            listener=self._listener.fileno(),
            index=place.index,
            count=len(self._places),
            folder=self._folder,
            waits_for_models=any(_is_alive(other) and other.looked for other in self._places),
        )
        place.process = subprocess.Popen(  # noqa: S603
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[self._listener.fileno()],
            process_group=0,  # Ctrl-C in a terminal is the supervisor's to pass on
            bufsize=0,
        )
        place.serves, place.looked, place.started_at = False, False, self._clock()
        with contextlib.suppress(BrokenPipeError):  # it has ended already, and is found to have
            _stdin(place.process).write(assignment.model_dump_json().encode() + b"\n")

    def _note_end(self, place: _Place, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        lived_s = self._clock() - place.started_at
        if not place.serves:
            place.failed_starts += 1
        place.pause_s = 0.0 if lived_s >= STEADY_S else min(max(2 * place.pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        place.start_at = self._clock() + place.pause_s
        facts = {"worker": place.index, "code": code, "lived_s": round(lived_s, 1), "restarts_in_s": place.pause_s}
        logger.error("worker ended", extra=facts)
        _stdin(process).close()
        _stdout(process).close()
        place.process = None
        if place.failed_starts == MAX_FAILED_STARTS:
            self._gave_up = True
            logger.error(
                "a worker ended before it served, %d times in a row (exit code %d); the service ends. "
                "Its own lines above say why; `--workers 1` shows the same without a supervisor.",
                MAX_FAILED_STARTS,
                code,
            )

    # --- the end ---

    def _end(self, wakes: socket.socket) -> int:
        self._listener.close()  # the workers have it, and close it when they have let in who is at the door
        for process in self._processes():
            _stdin(process).close()
        answered = self._signals
        limit_s = self._settings.drain_delay_s + self._settings.grace_s + KILL_AFTER_S
        give_up_at = self._clock() + limit_s
        while any(process.poll() is None for process in self._processes()):
            if self._clock() >= give_up_at:
                logger.error("workers are stuck; they are killed", extra={"after_s": limit_s})
                for process in self._processes():
                    process.kill()
            elif self._signals > answered > 0:  # a further one cuts short what the first began
                answered = self._signals
                for process in self._processes():
                    process.send_signal(signal.SIGTERM)
            self._wait(wakes)
        codes = [process.wait() for process in self._processes()]
        for process in self._processes():
            _stdout(process).close()
        return EXIT_FAILED if self._gave_up or any(codes) else EXIT_DONE

    def _processes(self) -> list[subprocess.Popen[bytes]]:
        return [place.process for place in self._places if place.process is not None]

    # --- waiting ---

    @contextlib.contextmanager
    def _handling_signals(self) -> Iterator[socket.socket]:
        """What becomes readable when a signal comes, also one that says that a worker has ended."""
        reading, writing = socket.socketpair()
        with reading, writing:
            for end in (reading, writing):
                end.setblocking(False)
            descriptor_before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
            before = {number: signal.signal(number, self._note_signal) for number in _SIGNALS}
            before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
            try:
                yield reading
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(descriptor_before)

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _wait(self, wakes: socket.socket) -> None:
        """Until something happens, and not long."""
        starting = [
            _stdout(place.process).fileno() for place in self._places if place.process and place.has_more_to_say
        ]
        ready, _, _ = select.select([wakes.fileno(), *starting], [], [], 0.1)
        if wakes.fileno() in ready:
            wakes.recv(4096)


def supervise(
    settings: ServiceSettings, listener: socket.socket, *, was_signalled: Callable[[], bool] = lambda: False
) -> int:
    """Run the workers until a signal comes, or came before and was lost on its way. Returns the exit code."""
    with private_folder() as folder:
        return Supervisor(settings, listener, folder).run(was_signalled=was_signalled)


def share_of(settings: ServiceSettings) -> ServiceSettings:
    """The settings of one worker: its share of the usable cores, unless `lanes` says how many it has."""
    if settings.lanes != "auto":
        return settings
    return settings.model_copy(update={"lanes": max(1, usable_cores() // settings.workers)})


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user may enter; in /tmp where the usual one has too long a name for a socket."""
    usual = tempfile.gettempdir()
    where = usual if len(os.fsencode(usual)) <= _LONGEST_SOCKET_NAME else "/tmp"  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="finial-", dir=where) as name:
        yield Path(name)


def _is_alive(place: _Place) -> bool:
    return place.process is not None and place.process.poll() is None


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdin)


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdout)


def _said_by(process: subprocess.Popen[bytes]) -> bytes:
    """What it has said since it was asked last."""
    ready, _, _ = select.select([_stdout(process)], [], [], 0)
    return _stdout(process).read(100) if ready else b""
