"""What a command tells while it works: a bar on a terminal, JSON lines elsewhere; always on stderr.

Results go to stdout and are not this room's work, so a script can read them undisturbed.
"""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

Event = Literal["say", "warning"]

_SECONDS_BETWEEN_LINES = 1.0


class Phase:
    """One stretch of work, counted in steps; `advance` may be called from any thread."""

    def __init__(self, show: Callable[[int], None]) -> None:
        self.done = 0
        self._show = show
        self._lock = threading.Lock()

    def advance(self, steps: int = 1) -> None:
        """Say that `steps` more steps are done."""
        with self._lock:
            self.done += steps
            self._show(self.done)


class Display(Protocol):
    """Where progress is shown."""

    def phase(self, name: str, total: int | None) -> contextlib.AbstractContextManager[Phase]:
        """Show one stretch of work for as long as the context lasts."""

    def say(self, event: Event, text: str, fields: dict[str, Any]) -> None:
        """Show one sentence."""


class Progress:
    """Tells a person or a log how the work goes; by default on stderr, in the form that suits it."""

    def __init__(self, display: Display | None = None) -> None:
        self._display: Display = display or (Terminal(sys.stderr) if sys.stderr.isatty() else JsonLines(sys.stderr))

    def phase(self, name: str, total: int | None = None) -> contextlib.AbstractContextManager[Phase]:
        """`with progress.phase("featurize", total=n) as phase: phase.advance()`; one phase at a time."""
        return self._display.phase(name, total)

    def say(self, text: str, **fields: Any) -> None:
        """One sentence about what was decided or found; `fields` are its facts, for whoever reads JSON lines."""
        self._display.say("say", text, fields)

    def warn(self, text: str, **fields: Any) -> None:
        """One sentence about something that does not stop the work, but should not be overlooked."""
        self._display.say("warning", text, fields)


class Quiet(Progress):
    """Shows nothing and keeps every sentence; for tests, and for callers of the Python functions."""

    def __init__(self) -> None:
        record = _Record()
        super().__init__(record)
        self.said, self.warnings, self.phases = record.said, record.warnings, record.phases


class Terminal:
    """A bar with rate and time left for a person; sentences appear above it.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def phase(self, name: str, total: int | None) -> Iterator[Phase]:
        """A bar that stays on the screen, complete, when the phase ends."""
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: "Task") -> "Text":
                return Text(f"{task.finished_speed or task.speed or 0:,.1f}/s")

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=total)
            yield Phase(lambda done: bars.update(task, completed=done))

    def say(self, event: Event, text: str, fields: dict[str, Any]) -> None:  # noqa: ARG002 (the sentence says it all)
        """Print the sentence; a warning says so."""
        warning = event == "warning"
        self._console.print(f"warning: {text}" if warning else text, style="yellow" if warning else None, markup=False)


class JsonLines:
    """One JSON object per line, for logs and for programs that watch.

    Args:
        stream: where to write.
        clock: seconds from any fixed moment.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    @contextlib.contextmanager
    def phase(self, name: str, total: int | None) -> Iterator[Phase]:
        """At most one line a second, and one when the phase ends, however it ends."""
        started = written = self._clock()

        def show(done: int) -> None:
            nonlocal written
            if self._clock() - written >= _SECONDS_BETWEEN_LINES:
                written = self._clock()
                self._write(_progress_line(name, done, total, written - started))

        phase = Phase(show)
        try:
            yield phase
        finally:
            self._write(_progress_line(name, phase.done, total, self._clock() - started))

    def say(self, event: Event, text: str, fields: dict[str, Any]) -> None:
        """Write the sentence with its facts."""
        self._write({**fields, "event": event, "text": text})

    def _write(self, line: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever watched has gone; the work goes on
            print(json.dumps(line, default=str), file=self._stream, flush=True)


class _Record:
    """Keeps what was said instead of showing it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warnings: list[str] = []
        self.phases: list[tuple[str, int]] = []

    @contextlib.contextmanager
    def phase(self, name: str, total: int | None) -> Iterator[Phase]:  # noqa: ARG002
        phase = Phase(lambda _done: None)
        try:
            yield phase
        finally:
            self.phases.append((name, phase.done))

    def say(self, event: Event, text: str, fields: dict[str, Any]) -> None:  # noqa: ARG002
        (self.said if event == "say" else self.warnings).append(text)


def _progress_line(name: str, done: int, total: int | None, elapsed_s: float) -> dict[str, Any]:
    rate = done / elapsed_s if elapsed_s > 0 else None
    left = (total - done) / rate if total is not None and rate else None
    return {
        "event": "progress",
        "phase": name,
        "done": done,
        "total": total,
        "rate_per_s": None if rate is None else round(rate, 2),
        "left_s": None if left is None else round(left, 1),
    }
