"""The service's own pool, which notes who came when and who was served when."""

import itertools
from dataclasses import dataclass

from service.budget import Budget
from service.pool import Pool
from service.waiting_line import Waiter


@dataclass(frozen=True)
class Fairness:
    """How evenly waiting was shared.

    Attributes:
        served: how many got a lane.
        overtaken: how many of them got it after somebody who had come later.
        mean_wait_s: from coming to having a lane.
        longest_wait_s: of them all.
    """

    served: int
    overtaken: int
    mean_wait_s: float
    longest_wait_s: float

    @property
    def longest_to_mean(self) -> float:
        """1 where all wait alike; nan where nobody waits."""
        return self.longest_wait_s / self.mean_wait_s if self.mean_wait_s else float("nan")


class WatchedPool(Pool):
    """A pool of one queue."""

    def __init__(self, *, lanes: int, max_waiting: int) -> None:
        super().__init__(lanes=lanes, max_waiting=max_waiting)
        self._noted = _Noting(cores=lanes, max_waiting=max_waiting)
        self._budget = self._noted

    def forget(self) -> None:
        """Begin to note anew."""
        with self._lock:
            self._noted.grants.clear()

    def fairness(self) -> Fairness:
        """Since `forget`."""
        with self._lock:
            return fairness_of(self._noted.grants)


class _Noting(Budget):
    """Notes each grant, in their order: (number in the order of coming, s of waiting)."""

    def __init__(self, *, cores: int, max_waiting: int) -> None:
        super().__init__(cores=cores, max_waiting=max_waiting)
        self.grants: list[tuple[int, float]] = []
        self._numbers: dict[Waiter, int] = {}
        self._came = 0

    def enter(self, waiter: Waiter, now: float) -> None:
        """As the pool's own."""
        self._came += 1
        self._numbers[waiter] = self._came
        super().enter(waiter, now)

    def _grant(self, waiter: Waiter, now: float) -> None:
        super()._grant(waiter, now)
        self.grants.append((self._numbers.pop(waiter), now - waiter.entered))


def fairness_of(grants: list[tuple[int, float]]) -> Fairness:
    """What grants in their order tell; each is (number in the order of coming, s of waiting)."""
    waits = [wait for _, wait in grants]
    latest = itertools.accumulate((number for number, _ in grants), max)
    overtaken = sum(number < so_far for (number, _), so_far in zip(grants, latest, strict=True))
    mean = sum(waits) / len(waits) if waits else 0.0
    return Fairness(len(grants), overtaken, mean, max(waits, default=0.0))
