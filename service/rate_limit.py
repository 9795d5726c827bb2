"""How many requests a key may make: a bucket of tokens for each, filled evenly; a request takes one."""

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

_PER_MINUTE_S = 60.0
_ROUNDING = 1e-9


@dataclass
class _Bucket:
    rate: float
    tokens: float
    at: float


class RateLimit:
    """Buckets by the key's name. For one thread, the event loop's.

    A bucket holds a minute's worth, so that a key that was quiet may send its minute at once; over longer times it
    gets what it may, and no more.

    Args:
        share: this process's part of each limit, in (0, 1]: workers count by themselves.
        clock: seconds, never going back.
    """

    def __init__(self, *, share: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.share, self._clock = share, clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, per_minute: int) -> float:
        """Take a token; 0 where there was one, else the seconds until there is, and nothing was taken."""
        now, rate = self._clock(), per_minute * self.share / _PER_MINUTE_S
        bucket = self._buckets.get(name)
        if bucket is None or bucket.rate != rate:  # new, or the file says something else than before
            bucket = self._buckets[name] = _Bucket(rate, self._full(rate), now)
        bucket.tokens = min(self._full(rate), bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.tokens >= 1 - _ROUNDING:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / rate

    def keep(self, names: Collection[str]) -> None:
        """Forget the keys that are not among these."""
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if name in names}

    @staticmethod
    def _full(rate: float) -> float:
        return max(1.0, rate * _PER_MINUTE_S)  # less than one token would never be enough


def retry_after_s(wait_s: float) -> int:
    """Whole seconds after which there is a token again: rounded up, so that it is not too early."""
    return max(1, math.ceil(wait_s))
