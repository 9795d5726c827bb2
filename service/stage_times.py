"""Where the time of a request goes, stage by stage; its client reads it in Server-Timing."""

import threading
import time
from collections.abc import Callable
from typing import Literal

from starlette.types import Scope

Stage = Literal["receive", "queue", "decode", "run"]
STAGES: tuple[Stage, ...] = ("receive", "queue", "decode", "run")

MAX_INTERVALS = 100
"""Of one request; more are added up only."""

_KEY = "stage_times"


class StageTimes:
    """Seconds that a request has spent in each stage, added up over its pictures; 0 where it never came to one.

    A request is in one stage at a time, whichever thread works for it; what a stage takes that fails is counted, too.
    A copy may be asked for at any moment, also in the middle of a change of stage.

    Attributes:
        receive: reading the body and taking it apart.
        queue: waiting for a lane, for a thread, and for the device where pictures are run together.
        decode: from bytes to pixels of the model's size.
        run: the model's computation; of a picture in a batch, that of the batch.
        intervals: (stage, began, ended) of the first ones, in their order; s of the clock.

    Args:
        clock: seconds, never going back.
    """

    __slots__ = ("_began", "_clock", "_lock", "_stage", "decode", "intervals", "queue", "receive", "run")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.receive = self.queue = self.decode = self.run = 0.0
        self._clock, self._stage, self._began = clock, "", 0.0
        self._lock = threading.Lock()
        self.intervals: list[tuple[str, float, float]] = []

    def begin(self, stage: Stage) -> None:
        """Enter a stage, and leave the one before."""
        with self._lock:
            now = self._clock()
            self._add(now)
            self._stage, self._began = stage, now

    def go_on(self, stage: Stage) -> None:
        """Be in a stage, which may have begun before."""
        if stage != self._stage:
            self.begin(stage)

    def end(self) -> None:
        """Leave the stage, if there is one."""
        with self._lock:
            self._add(self._clock())
            self._stage = ""

    def forget(self) -> None:
        """Leave the stage as if it had never begun."""
        self._stage = ""

    def so_far(self) -> "StageTimes":
        """A copy, every stage ended, for who tells of them while a thread still goes through the stages."""
        found = StageTimes(self._clock)
        with self._lock:
            for stage in STAGES:
                setattr(found, stage, getattr(self, stage))
            found.intervals = self.intervals.copy()
            found._stage, found._began = self._stage, self._began
        found.end()
        return found

    def computed(self, run_s: float) -> None:
        """Say how much of the wait for the device, just ended, was the device's run."""
        self.queue -= run_s
        self.run += run_s
        if self.intervals and len(self.intervals) < MAX_INTERVALS:
            stage, began, ended = self.intervals[-1]
            self.intervals[-1:] = [(stage, began, ended - run_s), ("run", ended - run_s, ended)]

    def seconds(self) -> dict[Stage, float]:
        """Those that it came to, in their order."""
        return {stage: taken for stage in STAGES if (taken := getattr(self, stage)) > 0}

    def server_timing(self) -> str:
        """The value of the header (W3C Server Timing): milliseconds by stage."""
        return ", ".join(f"{stage};dur={taken * 1000:.3f}" for stage, taken in self.seconds().items())

    def _add(self, now: float) -> None:
        if self._stage:
            setattr(self, self._stage, getattr(self, self._stage) + now - self._began)
            if len(self.intervals) < MAX_INTERVALS:
                self.intervals.append((self._stage, self._began, now))


def stage_times_of(scope: Scope) -> StageTimes:
    """The request's times, begun with the first who asks: so only requests that are worked for have any."""
    times: StageTimes = scope.setdefault("state", {}).setdefault(_KEY, StageTimes())
    return times


def keep_stage_times(scope: Scope) -> None:
    """Let the request's times stay as they are now: the thread that works for it has its own from here on."""
    scope["state"][_KEY] = stage_times_of(scope).so_far()


def known_stage_times(scope: Scope) -> StageTimes | None:
    """The request's times, every stage ended, for who tells of them; None where nothing was done for it."""
    times: StageTimes | None = scope.get("state", {}).get(_KEY)
    if times is not None:
        times.end()
    return times
