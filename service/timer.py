"""A call that is due later, can be put off, and can be called off."""

import asyncio
from collections.abc import Callable


class Timer:
    """A call that is due later, or none."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        """Whether a call is due."""
        return self._handle is not None

    def start(self, loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[[], None]) -> None:
        """Call after so many seconds, and not when it was due before."""
        self.cancel()

        def due() -> None:
            self._handle = None
            call()

        self._handle = loop.call_later(seconds, due)

    def cancel(self) -> None:
        """Do not call."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
