"""Where progress is shown: a bar on a terminal, JSON lines in a log."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from trainer.pace import Pace
from trainer.progress import Event, Phase, Stretch
from trainer.visible import visible

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

_SECONDS_BETWEEN_LINES = 1.0


class Terminal:
    """A bar with rate and time left for a person; sentences appear above it.

    Args:
        stream: the terminal.
        clock: seconds from any fixed moment.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._clock = clock

    @contextlib.contextmanager
    def phase(self, stretch: Stretch) -> Iterator[Phase]:
        """A bar that stays on the screen when the phase ends."""
        from rich.progress import Progress as Bars

        pace = Pace(self._clock, already=stretch.already)
        with Bars(*_columns(stretch, pace), console=self._console) as bars:
            task = bars.add_task(stretch.name, total=stretch.total, completed=stretch.already)

            def show(done: int) -> None:
                pace.reach(done)
                bars.update(task, completed=done)

            yield Phase(show, already=stretch.already)

    def say(self, event: Event, text: str, fields: dict[str, Any]) -> None:  # noqa: ARG002 (the sentence says it all)
        """Print the sentence, whatever names of files are in it; a warning says so."""
        warning, text = event == "warning", visible(text)
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
    def phase(self, stretch: Stretch) -> Iterator[Phase]:
        """At most one line a second, and one when the phase ends, however it ends."""
        pace = Pace(self._clock, already=stretch.already)
        written = pace.started

        def show(done: int) -> None:
            nonlocal written
            pace.reach(done)
            if self._clock() - written >= _SECONDS_BETWEEN_LINES:
                written = self._clock()
                self._write(_progress_line(stretch, done, pace))

        phase = Phase(show, already=stretch.already)
        try:
            yield phase
        finally:
            self._write(_progress_line(stretch, phase.done, pace))

    def say(self, event: Event, text: str, fields: dict[str, Any]) -> None:
        """Write the sentence with its facts."""
        self._write({**fields, "event": event, "text": text})

    def _write(self, line: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever watched has gone; the work goes on
            print(json.dumps(line, default=str), file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Time in words as exact as anybody needs: 8 s, 2 min, 1.5 h."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _columns(stretch: Stretch, pace: Pace) -> "list[ProgressColumn]":
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(_speed(stretch, pace, done=task.finished))

    in_bytes = stretch.unit == "byte"
    count = [] if stretch.total is None else [DownloadColumn() if in_bytes else MofNCompleteColumn()]
    return [TextColumn("{task.description}"), BarColumn(), *count, Speed()]


def _speed(stretch: Stretch, pace: Pace, *, done: bool) -> str:
    """`85.1/s, 2 min left` or `12.3 MB/s`; nothing of what is not known."""
    per_s, left = pace.per_s, None if done else pace.left_s(stretch.total)
    speed = "" if per_s is None else f"{per_s / 1e6:,.1f} MB/s" if stretch.unit == "byte" else f"{per_s:,.1f}/s"
    return speed if left is None else f"{speed}, {duration(left)} left"


def _progress_line(stretch: Stretch, done: int, pace: Pace) -> dict[str, Any]:
    left = pace.left_s(stretch.total)
    return {
        "event": "progress",
        "phase": stretch.name,
        "done": done,
        "total": stretch.total,
        "elapsed_s": round(pace.elapsed_s, 2),
        "rate_per_s": None if pace.per_s is None else round(pace.per_s, 2),
        "left_s": None if left is None else round(left, 1),
    }
