"""Who may join a model's line: nobody for whom there is no place, nor one whose time would pass in it.

A line that is longer than its deadline answers everybody in it 504, after a wait, and none of them could have known. So
how long the wait will be is foreseen from how fast the line has moved, and who would wait in vain is refused at once.
"""

import math
import time
from collections.abc import Callable, Mapping

from service.classifier import Classifier
from service.pool import Pool
from service.pool_errors import WaitTooLong
from service.pool_stats import PoolStats

GRANTS_SEEN, SEEN_S = 8, 0.25
"""What a pace is measured over: at least so many lanes granted, and at least so long."""

SURE_SHARE = 0.8
"""How much of a deadline may be foreseen to pass in the line: the pace is that of a while ago, and lanes stumble."""


class Pace:
    """How fast a line moves, as long as it does not come to its end; then all is forgotten."""

    def __init__(self) -> None:
        self._begun: tuple[float, int] | None = None
        self._each_s: float | None = None

    @property
    def each_s(self) -> float | None:
        """Time between two who are let go from the line; None while that is not known."""
        return self._each_s

    def note(self, now: float, stats: PoolStats) -> None:
        """See how far the line has come."""
        if not stats.waiting:
            self._begun = self._each_s = None
            return
        if self._begun is None:
            self._begun = now, stats.granted_total
        passed_s, granted = now - self._begun[0], stats.granted_total - self._begun[1]
        if granted >= GRANTS_SEEN and passed_s >= SEEN_S:
            self._each_s = passed_s / granted
            self._begun = now, stats.granted_total


class Admission:
    """Lets requests in, or refuses them before anything was done for them. For one thread, the event loop's.

    Args:
        classifier: knows which model is meant, and whether its line is full.
        pool: where they would wait.
        timeout_s: how long anybody may.
        clock: seconds, never going back.
    """

    def __init__(
        self, classifier: Classifier, pool: Pool, *, timeout_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._classifier, self._pool, self._timeout_s, self._clock = classifier, pool, timeout_s, clock
        self._pace = Pace()

    def admit(self, model: str | None, *, patience_s: float = math.inf) -> str:
        """Name of the model that is meant.

        Args:
            model: as the client named it, if it did.
            patience_s: how long the client will wait, if less than anybody may.

        Raises:
            ServiceError: as `Classifier.admit`.
            WaitTooLong: its time would pass before its turn came.
        """
        name = self._classifier.admit(model)
        stats = self._pool.stats()
        self._pace.note(self._clock(), stats)
        wait_s = (self._pace.each_s or 0.0) * (_before(name, stats.waiting_by_model) + 1)
        if wait_s > SURE_SHARE * max(0.0, min(patience_s, self._timeout_s)):  # a time that is over is no wait
            self._pool.note_refusal()
            raise WaitTooLong(waiting=stats.waiting)
        return name


def _before(queue: str, waiting: Mapping[str, int]) -> int:
    """How many will be let go before a newcomer: queues take turns."""
    own = waiting.get(queue, 0)
    return own + sum(min(length, own + 1) for other, length in waiting.items() if other != queue)
