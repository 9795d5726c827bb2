"""Coverage against accuracy: how much better the answers get when the unsure ones are withheld."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.intervals import Interval, wilson_interval
from trainer.metrics import Probabilities

WORTH_ASKING = (0.9, 0.95, 0.98, 0.99, 0.995)
"""Accuracies that a threshold is suggested for."""

_STEPS = 100
_FEWEST = 20


@dataclass(frozen=True)
class CoveragePoint:
    """What happens when only predictions with a score of at least `threshold` are answered.

    Attributes:
        threshold: in [0, 1).
        n: predictions that are answered, at least one.
        coverage: their share of all, in (0, 1].
        accuracy: share of them that is right, in [0, 1].
        interval: 95 % interval of the accuracy, Wilson's.
    """

    threshold: float
    n: int
    coverage: float
    accuracy: float
    interval: Interval

    def as_json(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes."""
        return asdict(self) | {"interval": list(self.interval)}


def coverage_curve(probabilities: Probabilities, targets: NDArray[np.int64]) -> tuple[CoveragePoint, ...]:
    """One point for each threshold 0.00, 0.01, ... 0.99 that leaves a prediction, from all answered to few.

    Args:
        probabilities: shape (N, K), N at least 1.
        targets: shape (N,), class indices.

    Raises:
        ValueError: there is nothing to score, or the lengths differ.
    """
    if len(targets) == 0 or len(targets) != len(probabilities):
        raise ValueError(f"{len(targets)} targets for {len(probabilities)} rows of probabilities")
    points = (coverage_at(step / _STEPS, probabilities, targets) for step in range(_STEPS))
    return tuple(point for point in points if point)


def coverage_at(threshold: float, probabilities: Probabilities, targets: NDArray[np.int64]) -> CoveragePoint | None:
    """What happens at one threshold on these pictures; None where no prediction reaches it.

    Args:
        threshold: in [0, 1].
        probabilities: shape (N, K).
        targets: shape (N,), class indices.
    """
    answered = probabilities.max(axis=1) >= threshold
    n = int(answered.sum())
    if not n:
        return None
    right = int((probabilities.argmax(axis=1) == targets)[answered].sum())
    return CoveragePoint(threshold, n, n / len(targets), right / n, wilson_interval(right, n))


def suggested_thresholds(curve: Sequence[CoveragePoint]) -> tuple[CoveragePoint, ...]:
    """For accuracies worth asking for that are not reached anyway, the lowest threshold that reaches each.

    A threshold that answers fewer than 20 pictures is none. One that serves two accuracies is told once.

    Args:
        curve: of `coverage_curve`.
    """
    found: list[CoveragePoint] = []
    for wanted in WORTH_ASKING:
        enough = [point for point in curve if point.accuracy >= wanted and point.n >= _FEWEST]
        if enough and enough[0].threshold > 0 and enough[0] not in found:
            found.append(enough[0])
    return tuple(found)
