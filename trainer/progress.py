"""What a command tells while it works; `displays` shows it: a bar on a terminal, JSON lines elsewhere, on stderr.

Results go to stdout and are not this room's work, so a script can read them undisturbed.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Event = Literal["say", "warning"]


@dataclass(frozen=True)
class Stretch:
    """One stretch of work.

    Attributes:
        name: what is done.
        total: how many steps it has; None if that is not known beforehand.
        already: how many of them were done before it began.
        unit: what a step is: one thing, or one byte.
    """

    name: str
    total: int | None
    already: int = 0
    unit: Literal["thing", "byte"] = "thing"


class Phase:
    """Counts the steps of a stretch of work; `advance` may be called from any thread."""

    def __init__(self, show: Callable[[int], None], *, already: int = 0) -> None:
        self.done = already
        self._show = show
        self._lock = threading.Lock()

    def advance(self, steps: int = 1) -> None:
        """Say that `steps` more steps are done."""
        with self._lock:
            self.done += steps
            self._show(self.done)


class Display(Protocol):
    """Where progress is shown."""

    def phase(self, stretch: Stretch) -> contextlib.AbstractContextManager[Phase]:
        """Show one stretch of work for as long as the context lasts."""

    def say(self, event: Event, text: str, fields: dict[str, Any]) -> None:
        """Show one sentence."""


class Progress:
    """Tells a person or a log how the work goes; by default on stderr, in the form that suits it."""

    def __init__(self, display: Display | None = None) -> None:
        from trainer.displays import JsonLines, Terminal

        self._display: Display = display or (Terminal(sys.stderr) if sys.stderr.isatty() else JsonLines(sys.stderr))

    def phase(
        self, name: str, total: int | None = None, *, already: int = 0, unit: Literal["thing", "byte"] = "thing"
    ) -> contextlib.AbstractContextManager[Phase]:
        """`with progress.phase("featurize", total=n) as phase: phase.advance()`; one phase at a time."""
        return self._display.phase(Stretch(name, total, already, unit))

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


class _Record:
    """Keeps what was said instead of showing it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warnings: list[str] = []
        self.phases: list[tuple[str, int]] = []

    @contextlib.contextmanager
    def phase(self, stretch: Stretch) -> Iterator[Phase]:
        phase = Phase(lambda _done: None, already=stretch.already)
        try:
            yield phase
        finally:
            self.phases.append((stretch.name, phase.done))

    def say(self, event: Event, text: str, fields: dict[str, Any]) -> None:  # noqa: ARG002
        (self.said if event == "say" else self.warnings).append(text)
