"""Intervals of numbers that are no share of samples: the evaluation repeated on groups drawn with replacement."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.intervals import Interval
from trainer.metrics import Probabilities, predicted_classes, sample_losses

_DRAWS, _FEWEST_DRAWS, _MOST_NUMBERS = 400, 100, 20_000_000
_SEED = 0


@dataclass(frozen=True)
class Resampled:
    """95 % intervals, from the 2.5th to the 97.5th percentile of the draws."""

    macro_accuracy: Interval
    macro_f1: Interval
    log_loss: Interval


def resample(probabilities: Probabilities, targets: NDArray[np.int64], groups: NDArray[np.str_]) -> Resampled:
    """Draw as many groups as there are, again and again, and measure each draw; always the same draws.

    With few groups such intervals are too narrow; the accuracy's, which decides on gates, is made otherwise.

    Args:
        probabilities: shape (N, K), N at least 1.
        targets: shape (N,), class indices.
        groups: shape (N,), group ids.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979).
    """
    _, group_of = np.unique(groups, return_inverse=True)
    count, random = int(group_of.max()) + 1, np.random.default_rng(_SEED)
    predicted, losses = predicted_classes(probabilities), sample_losses(probabilities, targets)
    draws = max(_FEWEST_DRAWS, min(_DRAWS, _MOST_NUMBERS // len(targets)))
    found = []
    for _ in range(draws):
        weight = np.bincount(random.integers(count, size=count), minlength=count)[group_of].astype(np.float64)
        found.append(_measure(weight, targets, predicted, losses, probabilities.shape[1]))
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0).tolist()
    return Resampled(*((left, right) for left, right in zip(low, high, strict=True)))


def _measure(
    weight: NDArray[np.float64],
    targets: NDArray[np.int64],
    predicted: NDArray[np.int64],
    losses: NDArray[np.float64],
    class_count: int,
) -> tuple[float, float, float]:
    """Macro accuracy, macro F1 and log loss where each row counts as often as its weight says."""
    actual = np.bincount(targets, weight, class_count)
    right = np.bincount(targets, weight * (predicted == targets), class_count)
    either = actual + np.bincount(predicted, weight, class_count)
    there, known = actual > 0, either > 0
    return (
        float((right[there] / actual[there]).mean()),
        float((2 * right[known] / either[known]).mean()),
        float((weight * losses).sum() / weight.sum()),
    )
