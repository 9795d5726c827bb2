"""One after the other; but whoever takes too long is overtaken, and holds up nobody any more."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

PATIENCE_S = 5.0


class Turns:
    """Turns at something that is better done by one thread at a time, but may hang.

    Args:
        patience_s: how long one turn holds up the next one.
        clock: seconds, never going back.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience_s, self._clock = patience_s, clock
        self._changed = threading.Condition()
        self._current: object | None = None
        self._since = 0.0

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        """Wait until nobody has the turn, or has had it for too long; then it is the caller's for a `with` block."""
        mine = object()
        with self._changed:
            while self._current is not None and (left_s := self._since + self.patience_s - self._clock()) > 0:
                self._changed.wait(left_s)
            self._current, self._since = mine, self._clock()
        try:
            yield
        finally:
            with self._changed:
                if self._current is mine:  # or it was overtaken, and the turn is another's
                    self._current = None
                    self._changed.notify()
