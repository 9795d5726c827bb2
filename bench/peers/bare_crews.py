"""Those who work for the bare loop: threads of one interpreter, or processes with a session each.

They are fed in a closed loop: a caller who has an answer asks again at once, so as long as there are callers enough
nobody has to be told that there is work. What each does is noted with its times, and who waited for how long follows
from these (`latencies`): nothing is handed from one thread or process to another while the clock runs.
"""

import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from ctypes import c_bool, c_double, c_long
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bench.peers.model import Model


class Run(NamedTuple):
    """When a picture was begun and ended, in s of time.monotonic(), which all processes of a machine share."""

    begun_s: float
    ended_s: float


def latencies(runs: Sequence[Run], *, callers: int, opens_s: float, closes_s: float) -> list[float]:
    """How long those waited who were answered within a window, from asking to the answer, in s.

    Callers stand in one line, first come first served. All of them ask when the first run begins, and each asks again
    when it is answered.

    Args:
        runs: of all who work, in any order.
        callers: at least as many as those who work.
        opens_s, closes_s: the window.
    """
    begins, ends = sorted(runs), deque(sorted(run.ended_s for run in runs))
    line = deque([begins[0].begun_s] * callers) if begins else deque[float]()
    waited = []
    for run in begins:
        while ends and ends[0] <= run.begun_s:
            line.append(ends.popleft())
        asked_s = line.popleft()
        if opens_s <= run.ended_s <= closes_s:
            waited.append(run.ended_s - asked_s)
    return waited


class Crew(Protocol):
    """Works on one picture from `begin` to `stop`."""

    def begin(self, picture: Path, count: int) -> None:
        """Let so many of them work."""

    def answered(self) -> int:
        """How often they were done since."""

    def processor_s(self) -> float:
        """Time of the processor that they have used, up to now or to the last answer."""

    def stop(self) -> list[Run]:
        """What they did since."""


class Threads:
    """Threads of this process.

    Args:
        predict: what each does with a picture file.
    """

    def __init__(self, predict: Callable[[bytes], Any]) -> None:
        self._predict = predict
        self._threads: list[threading.Thread] = []
        self._runs: list[Run] = []
        self._over = False

    def begin(self, picture: Path, count: int) -> None:
        """See `Crew`."""
        self._runs, self._over = [], False
        self._threads = [threading.Thread(target=self._work, args=(picture.read_bytes(),)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self, data: bytes) -> None:
        while not self._over:
            begun_s = time.monotonic()
            self._predict(data)
            self._runs.append(Run(begun_s, time.monotonic()))

    def answered(self) -> int:
        """See `Crew`."""
        return len(self._runs)

    def processor_s(self) -> float:
        """See `Crew`."""
        return time.process_time()

    def stop(self) -> list[Run]:
        """See `Crew`."""
        self._over = True
        for thread in self._threads:
            thread.join()
        return self._runs


class Processes:
    """A process for each core, each with a session of one thread, as long as they are needed.

    Args:
        bundle: the folder of a version.
        count: how many.
    """

    def __init__(self, bundle: Path, count: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share what ONNX Runtime has opened
        self._over = context.RawValue(c_bool, False)
        self._answered, self._used_s = context.RawArray(c_long, count), context.RawArray(c_double, count)
        self._lines: list[Connection] = []
        self._working: list[Connection] = []
        for number in range(count):
            ours, theirs = context.Pipe()
            told = (self._over, self._answered, self._used_s)
            context.Process(target=_work_as_told, args=(bundle, theirs, number, *told), daemon=True).start()
            theirs.close()
            self._lines.append(ours)
        for line in self._lines:
            line.recv()  # its session is open

    def begin(self, picture: Path, count: int) -> None:
        """See `Crew`."""
        self._over.value = False
        self._answered[:] = [0] * len(self._answered)
        self._working = self._lines[:count]
        for line in self._working:
            line.send(picture)

    def answered(self) -> int:
        """See `Crew`."""
        return sum(self._answered)

    def processor_s(self) -> float:
        """See `Crew`."""
        return sum(self._used_s)

    def stop(self) -> list[Run]:
        """See `Crew`. EOFError: one of them has ended."""
        self._over.value = True
        return [Run(*run) for line in self._working for run in line.recv()]


def _work_as_told(bundle: Path, orders: Connection, number: int, over: Any, answered: Any, used_s: Any) -> None:
    model = Model(bundle, threads=1)
    orders.send("ready")
    while True:
        try:
            data = orders.recv().read_bytes()
        except EOFError:
            return
        runs = []
        while not over.value:
            begun_s = time.monotonic()
            model.predict(data)
            runs.append((begun_s, time.monotonic()))
            answered[number], used_s[number] = len(runs), time.process_time()
        orders.send(runs)
