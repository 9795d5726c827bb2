"""Calibration: the temperature that makes scores mean what they say, and how far they still do not.

A score is calibrated when, of all predictions with a score of 0.8, 80 % are right.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.metrics import Probabilities, softmax

BINS = 15
Groups = Sequence[str] | NDArray[np.int64]

_STEPS = 24  # leaves 6e-5 of the logarithm of the temperature
_GOLDEN = (5**0.5 - 1) / 2
_WIDEST = 3.0  # temperatures from exp(-3) to exp(3): beyond, logits say nothing or everything
_ENOUGH_ROWS = 10_000  # for one number
_PRIOR_DEVIATION = 0.5  # of the logarithm of the temperature
_CROSS_FITS = 20
_MUCH_BY_CHANCE = 0.05  # where chance alone may put true scores further off, there were too few pictures to tell
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
        after: calibration error with the temperature, each twentieth of the rows at the one that fits the others.
        perfect: the mean calibration error of a model whose scores are exactly true, on as many pictures in such groups
            with the same scores: what chance alone leaves, see `perfect_calibration_error`.
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


def trusted(after: float, perfect_95: float) -> Literal["yes", "unclear", "no"]:
    """Whether scores mean what they say, as a `Calibration` has it: "no" where more than chance puts them off.

    "unclear": chance explains it, but on so few pictures even true scores may come out far off.
    """
    if after > perfect_95:
        return "no"
    return "unclear" if perfect_95 > _MUCH_BY_CHANCE else "yes"


def measure_calibration(
    logits: NDArray[np.floating],
    targets: NDArray[np.int64],
    temperature: float,
    *,
    groups: Groups | None = None,
    seed: int = 0,
) -> Calibration:
    """The calibration error of out-of-fold logits, before and after temperature scaling.

    A temperature that is measured on the rows it was chosen on looks better than it is, so it is chosen anew without
    the rows it is measured on.

    Args:
        logits: shape (N, K), N at least 1, of heads that had not seen the rows; rows in an order that has nothing to do
            with the targets, as those of `Training`.
        targets: shape (N,), class indices.
        temperature: the one that is served, chosen on all of them.
        groups: N group ids, or numbers; each row its own, if None.
        seed: of the simulated perfect models.

    Raises:
        ValueError: there is nothing to measure, or the lengths differ.
    """
    after = cross_fitted(logits, targets, groups)
    score = after.max(axis=1)
    perfect, upper = perfect_calibration_error(score, groups, seed=seed)
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


def perfect_calibration_error(
    score: NDArray[np.floating], groups: Groups | None = None, *, seed: int = 0
) -> tuple[float, float]:
    """What `calibration_error` gives where every score is true: its mean and its 95th percentile, by simulation.

    Each simulated model is right with the probability that its score says. One draw decides for all pictures of a
    group, which are right together and wrong together, as copies and series are; where they are that only half-way,
    chance leaves less.

    Args:
        score: shape (N,), the top-1 scores, N at least 1.
        groups: N group ids, or numbers; each picture its own, if None.
        seed: of the simulation.
    """
    n, random, group = len(score), np.random.default_rng(seed), _numbered(groups, len(score))
    group_count = int(group.max()) + 1
    draws = max(_FEWEST_DRAWS, min(_DRAWS, _MOST_NUMBERS // n))
    bin_of = _bin_of(np.asarray(score, dtype=np.float64))
    promised = np.bincount(bin_of, weights=score, minlength=BINS)
    errors = []
    for _ in range(draws):
        right = np.bincount(bin_of, weights=random.random(group_count)[group] < score, minlength=BINS)
        errors.append(float(np.abs(right - promised).sum()) / n)
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def cross_fitted(
    logits: NDArray[np.floating], targets: NDArray[np.int64], groups: Groups | None = None
) -> NDArray[np.float64]:
    """Probabilities (N, K), each twentieth of the rows at the temperature that fits all the others.

    No group is torn, so a twentieth is somewhat more or less where groups are large; without groups, each row is its
    own. That is the prudent one of `fit_temperature`, looked for near the one that fits all rows: losses at
    temperatures up to half as large again (five times, if a tenth of the rows or more is one group) are computed once,
    and those of a twentieth taken away.
    """
    if not len(targets):
        return np.zeros(logits.shape)
    n, part = len(targets), _twentieth_of(_numbered(groups, len(targets)))
    reach = 0.4 if 10 * np.bincount(part).max() <= n else 1.6
    around = np.log(fit_temperature(logits, targets)) + reach * np.linspace(-1, 1, 33)
    step = _step(n)
    losses = np.stack(
        [np.bincount(part[::step], _losses(logits[::step], targets[::step], one), _CROSS_FITS) for one in around], 1
    )
    counts = np.bincount(part[::step], minlength=_CROSS_FITS)[:, None]
    others = (losses.sum(axis=0) - losses) / np.maximum(1, counts.sum() - counts)
    others += _doubt(around, np.maximum(1, n - np.bincount(part, minlength=_CROSS_FITS)[:, None]))
    temperatures = np.exp([_lowest_of(around, curve) for curve in others])
    return softmax(logits / temperatures[part][:, None])


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
    chosen, of_label = logits[:: _step(len(targets))], targets[:: _step(len(targets))]

    def loss(log_temperature: float) -> float:
        mean = float(_losses(chosen, of_label, log_temperature).mean())
        return mean + (float(_doubt(log_temperature, len(targets))) if prudent else 0.0)

    return float(np.exp(_lowest(loss)))


def _numbered(groups: Groups | None, n: int) -> NDArray[np.int64]:
    """Number of each row's group, shape (n,), in the order in which they first appear."""
    if groups is None:
        return np.arange(n)
    number: dict[str | int, int] = {}
    return np.array([number.setdefault(group, len(number)) for group in np.asarray(groups).tolist()], dtype=np.int64)


def _twentieth_of(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which part each row is in, shape (N,): that which its group begins in, if groups lay one behind the other."""
    sizes = np.bincount(group)
    begins = np.cumsum(sizes) - sizes
    return np.asarray((begins * _CROSS_FITS // len(group))[group], dtype=np.int64)


def _step(rows: int) -> int:
    return 1 + rows // _ENOUGH_ROWS


def _losses(logits: NDArray[np.floating], targets: NDArray[np.int64], log_temperature: float) -> NDArray[np.float64]:
    """The log loss of each row at a temperature."""
    scaled = logits.astype(np.float64) / np.exp(log_temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    of_label = scaled[np.arange(len(targets)), targets]
    return np.asarray(np.log(np.exp(scaled).sum(axis=1)) - of_label)


def _doubt(log_temperature: ArrayLike, rows: ArrayLike) -> NDArray[np.float64]:
    """What the prior of the temperature adds to the mean loss of so many rows."""
    return np.asarray(np.square(log_temperature) / (2 * _PRIOR_DEVIATION**2 * np.asarray(rows)))


def _lowest_of(places: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Where the parabola through the lowest of evenly spaced values and its neighbours is lowest."""
    best = int(np.clip(values.argmin(), 1, len(values) - 2))
    left, middle, right = values[best - 1 : best + 2]
    bend = left - 2 * middle + right
    offset = (left - right) / (2 * bend) if bend > 0 else 0.0
    return float(places[best] + np.clip(offset, -1, 1) * (places[1] - places[0]))


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
