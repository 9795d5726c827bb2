"""When to try again what failed: soon at first, then less and less often, and not at the same moment as all others."""

from collections.abc import Callable

LONGEST_PAUSE_S = 60.0
SPREAD = 0.25


class BackOff:
    """Tries of one thing at a time: trying another one starts over.

    Args:
        first_s: the pause after the first failure; it doubles with each, up to a minute.
        clock: seconds, never going back.
        random: evenly in [0, 1); a pause is up to a quarter longer, so that replicas do not all come back at once.
    """

    def __init__(self, first_s: float, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._first_s, self._clock, self._random = first_s, clock, random
        self._what: str | None = None
        self._attempts, self._retry_at = 0, 0.0

    def is_due(self, what: str) -> bool:
        """Whether to try it now."""
        return not self._attempts or what != self._what or self._clock() >= self._retry_at

    def note_failure(self, what: str) -> int:
        """Wait before the next try. Returns how often this has failed by now."""
        self._attempts = self._attempts + 1 if what == self._what else 1
        self._what = what
        pause_s = min(LONGEST_PAUSE_S, self._first_s * 2.0 ** min(self._attempts - 1, 30))
        self._retry_at = self._clock() + pause_s * (1 + SPREAD * self._random())
        return self._attempts

    def clear(self) -> None:
        """Forget that anything failed."""
        self._what, self._attempts = None, 0
