"""Signals that come before the server handles them: none of them may be lost."""

import signal
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class EarlySignals:
    """Lets a signal break off the start, for the length of a `with` block.

    It does so by an exception, and a library that is being imported may swallow that; so it is remembered, too, and
    whoever handles signals next asks for it.

    Attributes:
        came: whether there was one.
    """

    def __init__(self) -> None:
        self.came = False
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

    def _break_off(self, number: int, _frame: FrameType | None) -> NoReturn:
        self.came = True
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(0)
