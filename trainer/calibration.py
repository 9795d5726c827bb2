"""Calibration: the temperature that makes scores mean what they say, and how far they still do not.

A score is calibrated when, of all predictions with a score of 0.8, 80 % are right.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import Probabilities, softmax

BINS = 15

_STEPS = 24  # leaves 6e-5 of the logarithm of the temperature
_GOLDEN = (5**0.5 - 1) / 2
_WIDEST = 3.0  # temperatures from exp(-3) to exp(3): beyond, logits say nothing or everything
_ENOUGH_ROWS = 10_000  # for one number
_PRIOR_DEVIATION = 0.5  # of the logarithm of the temperature
_CROSS_FITS = 5
_DRAWS, _FEWEST_DRAWS, _MOST_NUMBERS = 400, 40, 4_000_000


@dataclass(frozen=True)
class ReliabilityBin:
    """The predictions whose score is above `low` and at most `high`.

    Attributes:
        low, high: in [0, 1].
        n: how many there are, at least one.
        score: their mean score, in [0, 1].
        accuracy: how many of them are right, in [0, 1]; a calibrated model's is near `score`.
    """

    low: float
    high: float
    n: int
    score: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How far scores are from what they promise, before and after the temperature.

    Attributes:
        n: predictions measured, of heads that had not seen the pictures.
        temperature: that the served graph divides its logits by.
        before: calibration error of the plain logits, in [0, 1].
        after: calibration error with the temperature, each fifth of the rows at the one that fits the other four.
        perfect: the mean calibration error of a model whose scores are exactly true, on as many pictures with the same
            scores: what chance alone leaves.
        perfect_95: 95 of 100 such models stay below.
        bins: the reliability diagram of `after`, from low scores to high, without empty bins.
    """

    n: int
    temperature: float
    before: float
    after: float
    perfect: float
    perfect_95: float
    bins: tuple[ReliabilityBin, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes, keys always in the same order."""
        return asdict(self) | {"bins": [asdict(one) for one in self.bins]}


def measure_calibration(
    logits: NDArray[np.floating], targets: NDArray[np.int64], temperature: float, *, seed: int = 0
) -> Calibration:
    """The calibration error of out-of-fold logits, before and after temperature scaling.

    A temperature that is measured on the rows it was chosen on looks better than it is, so it is chosen anew without
    the rows it is measured on.

    Args:
        logits: shape (N, K), N at least 1, of heads that had not seen the rows; rows in an order that has nothing to do
            with the targets, copies side by side, as those of `Training`.
        targets: shape (N,), class indices.
        temperature: the one that is served, chosen on all of them.
        seed: of the simulated perfect models.

    Raises:
        ValueError: there is nothing to measure, or the lengths differ.
    """
    after = cross_fitted(logits, targets)
    score = after.max(axis=1)
    perfect, upper = perfect_calibration_error(score, seed=seed)
    return Calibration(
        n=len(targets),
        temperature=temperature,
        before=calibration_error(softmax(logits), targets),
        after=calibration_error(after, targets),
        perfect=perfect,
        perfect_95=upper,
        bins=reliability_bins(after, targets),
    )


def calibration_error(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """Expected calibration error of the top-1 score, in [0, 1]; 0 is perfect.

    Predictions are sorted by score into 15 bins of equal width; the error is the mean, weighted by the predictions in
    each bin, of |share right - mean score|.

    Raises:
        ValueError: there is nothing to measure, or the lengths differ.

    Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017, equation 5.
    """
    bins = reliability_bins(probabilities, targets)
    return sum(one.n * abs(one.accuracy - one.score) for one in bins) / len(targets)


def reliability_bins(probabilities: Probabilities, targets: NDArray[np.int64]) -> tuple[ReliabilityBin, ...]:
    """Score and accuracy in each of the 15 bins that is not empty. Raises as `calibration_error`."""
    if len(targets) == 0 or len(targets) != len(probabilities):
        raise ValueError(f"{len(targets)} targets for {len(probabilities)} rows of probabilities")
    score = np.asarray(probabilities.max(axis=1), dtype=np.float64)
    right = probabilities.argmax(axis=1) == targets
    bin_of = _bin_of(score)
    return tuple(
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            n=int((bin_of == number).sum()),
            score=float(score[bin_of == number].mean()),
            accuracy=float(right[bin_of == number].mean()),
        )
        for number in np.unique(bin_of).tolist()
    )


def perfect_calibration_error(score: NDArray[np.floating], *, seed: int = 0) -> tuple[float, float]:
    """What `calibration_error` gives where every score is true: its mean and its 95th percentile, by simulation.

    Each simulated model is right with the probability that its score says, picture by picture.

    Args:
        score: shape (N,), the top-1 scores, N at least 1.
        seed: of the simulation.
    """
    n, random = len(score), np.random.default_rng(seed)
    draws = max(_FEWEST_DRAWS, min(_DRAWS, _MOST_NUMBERS // n))
    bin_of = _bin_of(np.asarray(score, dtype=np.float64))
    promised = np.bincount(bin_of, weights=score, minlength=BINS)
    errors = []
    for _ in range(draws):
        right = np.bincount(bin_of, weights=random.random(n) < score, minlength=BINS)
        errors.append(float(np.abs(right - promised).sum()) / n)
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def cross_fitted(logits: NDArray[np.floating], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities (N, K), each fifth of the rows at the temperature that fits the other four fifths."""
    fifth = np.arange(len(targets)) * _CROSS_FITS // max(1, len(targets))
    probabilities = np.zeros(logits.shape)
    for part in range(_CROSS_FITS):
        own = fifth == part
        temperature = fit_temperature(logits[~own], targets[~own])
        probabilities[own] = softmax(logits[own] / temperature) if own.any() else 0.0
    return probabilities


def fit_temperature(logits: NDArray[np.floating], targets: NDArray[np.int64], *, prudent: bool = True) -> float:
    """The temperature T with the lowest log loss of softmax(logits / T).

    Few rows say little of T, and where every row is right the lowest log loss lies at T = 0, which calls the next
    picture certain too. A prudent T is the most probable one if, before any row is seen, log T is taken to be normal
    around 0 with deviation 0.5: two times in three between 0.6 and 1.65. A hundred rows outweigh it.

    Args:
        logits: shape (N, K), of heads that had not seen the rows.
        targets: shape (N,), class indices in [0, K).
        prudent: False takes the plain optimum, of temperatures from 0.05 to 20.

    Returns:
        Above 0: above 1 where the logits were too sure, below 1 where too timid; 1.0 for no rows.

    Raises:
        ValueError: the lengths differ.

    Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017; the prior is docs/decisions/0021.
    """
    if len(logits) != len(targets):
        raise ValueError(f"{len(logits)} rows of logits, {len(targets)} targets")
    if not len(targets):
        return 1.0
    step = 1 + len(targets) // _ENOUGH_ROWS
    chosen, of_label = logits[::step].astype(np.float64), targets[::step]
    chosen -= chosen.max(axis=1, keepdims=True)
    of_true = float(chosen[np.arange(len(of_label)), of_label].mean())
    doubt = 1 / (2 * _PRIOR_DEVIATION**2 * len(targets)) if prudent else 0.0

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        log_loss = np.log(np.exp(chosen / temperature).sum(axis=1)).mean() - of_true / temperature
        return float(log_loss + doubt * log_temperature**2)

    return float(np.exp(_lowest(loss)))


def _bin_of(score: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.clip(np.ceil(score * BINS) - 1, 0, BINS - 1), dtype=np.int64)


def _lowest(loss: Callable[[float], float]) -> float:
    """Where a function with one valley is lowest, by golden-section search."""
    low, high = -_WIDEST, _WIDEST
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    of_left, of_right = loss(left), loss(right)
    for _ in range(_STEPS):
        if of_left <= of_right:
            high, right, of_right = right, left, of_left
            left = high - _GOLDEN * (high - low)
            of_left = loss(left)
        else:
            low, left, of_left = left, right, of_right
            right = low + _GOLDEN * (high - low)
            of_right = loss(right)
    return (low + high) / 2
