"""The stopping rule of the SGD head, and which epoch is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Metric = Literal["accuracy", "loss"]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs in a row none of which improved the best one by `min_delta`.

    Attributes:
        metric: what is watched: accuracy, which is to rise, or log loss, which is to fall.
        patience: epochs, at least 1.
        min_delta: a smaller change is none; in the metric's unit, at least 0.

    Source: EarlyStopping of ML.NET. There the best value begins at 0, which no loss can fall below, so that watching
    the loss stops after `patience` epochs whatever happens; here it begins with the first epoch.
    """

    metric: Metric = "loss"
    patience: int = 20
    min_delta: float = 0.0

    @property
    def check_increasing(self) -> bool:
        """Whether more is better; it follows from the metric."""
        return self.metric == "accuracy"

    def should_stop(self, values: Sequence[float]) -> bool:
        """Whether to stop after these epochs, one value each; never before `patience` + 1 of them."""
        gains = values if self.check_increasing else [-value for value in values]
        best, waited = float("-inf"), 0
        for gain in gains:
            improves = gain > best and gain - best >= self.min_delta
            best, waited = (gain, 0) if improves else (best, waited + 1)
        return waited >= self.patience


def best_epoch(accuracies: Sequence[float], losses: Sequence[float], metric: Metric) -> int:
    """The epoch to keep, from 0: the best by the metric; of equal ones the better by the other, then the earlier.

    `min_delta` plays no part: it says when waiting is over, not which epoch was best.
    """
    if metric == "accuracy":
        return min(range(len(losses)), key=lambda epoch: (-accuracies[epoch], losses[epoch]))
    return min(range(len(losses)), key=lambda epoch: (losses[epoch], -accuracies[epoch]))
