"""Signals that come before the server handles them: none of them may be lost."""

import signal
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class EarlySignals:
    """Lets a signal break off the start, for the length of a `with` block.

    It does so by an exception. A library that is being imported may swallow that; so it is remembered, too, and
    whoever handles signals next asks for it. Or it may make an error of its own of it, which is turned back at the end.
    """

    def __init__(self) -> None:
        self._breaks_off: BaseException | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # The first process of a container is not ended by a signal that it does not handle.
        self._before = {number: signal.signal(number, self._break_off) for number in _NUMBERS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._breaks_off is not None and isinstance(error, Exception):
            raise self._breaks_off from error

    @property
    def came(self) -> bool:
        """Whether there was one."""
        return self._breaks_off is not None

    def _break_off(self, number: int, _frame: FrameType | None) -> NoReturn:
        self._breaks_off = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(0)
        raise self._breaks_off
