"""Calibration: the temperature that makes scores mean what they say."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_STEPS = 24  # leaves 6e-5 of the logarithm of the temperature
_WIDEST = 3.0  # temperatures from exp(-3) to exp(3): beyond, logits say nothing or everything
_ENOUGH_ROWS = 10_000  # for one number


def fit_temperature(logits: NDArray[np.floating], targets: NDArray[np.int64], *, prudent: bool = True) -> float:
    """The temperature T with the lowest log loss of softmax(logits / T).

    Where every row is right, the lowest log loss lies at T = 0, which calls the next picture certain too. Prudence is
    that of n rows the true class counts as (n + 1) / (n + 2) of a sample, and the others share the rest.

    Args:
        logits: shape (N, K), of heads that had not seen the rows.
        targets: shape (N,), class indices in [0, K).
        prudent: without it the plain optimum is taken, of temperatures from 0.05 to 20.

    Returns:
        Above 0: above 1 where the logits were too sure, below 1 where too timid; 1.0 for no rows.

    Raises:
        ValueError: the lengths differ.

    Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017; the fraction is that of J. Platt,
    "Probabilistic outputs for support vector machines" (1999), section 2.2.
    """
    if len(logits) != len(targets):
        raise ValueError(f"{len(logits)} rows of logits, {len(targets)} targets")
    if not len(targets):
        return 1.0
    step = 1 + len(targets) // _ENOUGH_ROWS
    chosen, of_true = logits[::step].astype(np.float64), targets[::step]
    chosen -= chosen.max(axis=1, keepdims=True)
    wanted = _mean_of_wanted(chosen, of_true, 1 / (len(targets) + 2) if prudent else 0.0)

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        return float(np.log(np.exp(chosen / temperature).sum(axis=1)).mean() - wanted / temperature)

    return float(np.exp(_lowest(loss)))


def _mean_of_wanted(logits: NDArray[np.float64], targets: NDArray[np.int64], little: float) -> float:
    """Mean over the rows of the logit that is asked for: the true class's, and a little of the others'."""
    rows, classes = logits.shape
    of_true = logits[np.arange(rows), targets]
    of_others = (logits.sum(axis=1) - of_true) / (classes - 1)
    return float(((1 - little) * of_true + little * of_others).mean())


def _lowest(loss: Callable[[float], float]) -> float:
    """Where a function with one valley is lowest, by golden-section search."""
    low, high, ratio = -_WIDEST, _WIDEST, (np.sqrt(5.0) - 1) / 2
    for _ in range(_STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) <= loss(right):
            high = right
        else:
            low = left
    return (low + high) / 2
