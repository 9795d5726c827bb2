"""How far the pictures of late are from those of the training: lower bounds, so that few pictures raise no alarm.

Both signals are shares of pictures. `label_drift` is at least the share that would have to be predicted otherwise for
the labels to be spread as in training; `novelty_drift`, at least the share that is more novel than it was there. What
chance explains is taken off, so that 0 is the rule without drift, whatever the number of labels and of pictures. A
client that sends a scene twenty times has sent one: the pictures of late count for as many as their stretches show.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.recent_pictures import Recent
from shared.bundle import BundleMetadata
from shared.effective_count import effective_count

CERTAINTY = 4.0
"""Standard deviations that are left to chance."""

FEWEST_PICTURES = 200
"""With fewer, neither signal says anything."""

NO_REFERENCE = "the bundle has no reference: it was made by an earlier trainer, or nothing was held out"

FAMILIAR_BELOW = 0.95
"""Up to here the novelty of pictures like those of the training is evenly spread, by its definition."""


@dataclass(frozen=True)
class Signal:
    """What can be said of one signal.

    Attributes:
        at_least: the lower bound, in [0, 1].
        sees_from: the share that must have moved for the bound to be above 0, whatever moved; 1 where nothing is seen.
    """

    at_least: float
    sees_from: float


def label_drift(totals: NDArray[np.int64], reference: NDArray[np.int64], *, effective: float) -> Signal:
    """A lower bound of the total variation distance between two distributions of labels.

    The larger of two bounds: of the distance itself, half the sum of |p - q|, less its mean and 4 deviations by chance;
    and of the one label that differs most, |p - q| less 4 deviations and what rare labels are off to one side by, which
    sees one label among many sooner.

    Args:
        totals: pictures of late by stretch and label, shape (G, K); at least one.
        reference: pictures by label in training, shape (K,).
        effective: how many independent pictures the reference is worth.

    Source: the mean and the variance of |X| for normal X; the distance between empirical distributions is biased by
        chance alone, as is the population stability index (B. Yurdakul, "Statistical properties of population
        stability index", 2018). The term for rare labels is that of Bernstein's inequality.
    """
    n, m = effective_count(totals), effective
    now, then = totals.sum(axis=0) / totals.sum(), reference / reference.sum()
    off = np.abs(now - then)
    pooled = (n * now + m * then) / (n + m)
    together = off.sum() / 2 - _distance_by_chance(pooled, n, m)
    one_sided = CERTAINTY**2 / 3 / np.where(now > then, n, m)
    alone = (off - CERTAINTY * np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)) - one_sided).max()
    return Signal(max(0.0, float(together), float(alone)), min(1.0, _distance_by_chance(then, n, m)))


def _distance_by_chance(shares: NDArray[np.float64], n: float, m: float) -> float:
    """Half the sum of |p - q| that n and m pictures of one distribution stay below, but for CERTAINTY."""
    variance = shares * (1 - shares) * (1 / n + 1 / m)
    label_count = len(shares)
    mean = np.minimum(np.sqrt(2 * variance / math.pi), 2 * shares).sum() / 2
    deviation = math.sqrt(variance.sum() * (1 - 2 / math.pi) * label_count / (label_count - 1)) / 2
    return float(mean) + CERTAINTY * deviation


def novelty_drift(totals: NDArray[np.int64], edges: NDArray[np.float64], *, effective: float) -> Signal:
    """A lower bound of the share of pictures that are more novel than those of the training.

    Of the greatest distance by which the distribution lies below the even one, sup (x - F(x)), at some edges; each
    less 4 deviations by chance.

    Args:
        totals: pictures of late by stretch and bin of novelty, shape (G, E + 1), the last bin above all edges; at
            least one.
        edges: in (0, 0.95], shape (E,).
        effective: how many independent pictures the scale of novelty was made from.
    """
    up_to = np.cumsum(totals.sum(axis=0))[:-1] / totals.sum()
    variance = edges * (1 - edges) * (1 / effective_count(totals) + 1 / effective)
    by_chance = CERTAINTY * np.sqrt(variance)
    at_least = max(0.0, float((edges - up_to - by_chance).max()))
    return Signal(at_least, min(1.0, float((by_chance / edges).min())))


@dataclass(frozen=True)
class Drift:
    """What can be said about the latest pictures of a version.

    Attributes:
        pictures: how many the window holds.
        label, novelty: the signals, in [0, 1]; None where there is none.
        label_sees_from, novelty_sees_from: the share that must have moved for the signal to be above 0; None as above.
        label_reason, novelty_reason: why there is none; "" where there is.
    """

    pictures: int
    label: float | None = None
    novelty: float | None = None
    label_sees_from: float | None = None
    novelty_sees_from: float | None = None
    label_reason: str = ""
    novelty_reason: str = ""


def drift_of(metadata: BundleMetadata, recent: Recent, *, edges: Sequence[float]) -> Drift:
    """Compare the latest pictures with the training that bundle.json tells of.

    Args:
        metadata: of the version that is served.
        recent: what it said of late.
        edges: upper ends of the bins of novelty in `recent`.
    """
    reference, pictures = metadata.reference, recent.pictures
    reason = _too_little(pictures) if reference is not None else NO_REFERENCE
    if reference is None or reason:
        return Drift(pictures, label_reason=reason, novelty_reason=reason)
    totals = _by_label(recent, metadata.labels)
    label = label_drift(totals, np.array(reference.counts), effective=reference.effective)
    known = Drift(pictures, label=label.at_least, label_sees_from=label.sees_from)
    if reference.novelty_effective is None:
        return replace(known, novelty_reason=metadata.thresholds.novelty_reason or "the model has no novelty")
    even = np.array([edge for edge in edges if edge <= FAMILIAR_BELOW])
    totals = _by_novelty(recent, len(even))
    if reason := _too_little(int(totals.sum())):
        return replace(known, novelty_reason=reason)
    novelty = novelty_drift(totals, even, effective=reference.novelty_effective)
    return replace(known, novelty=novelty.at_least, novelty_sees_from=novelty.sees_from)


def _too_little(pictures: int) -> str:
    return "" if pictures >= FEWEST_PICTURES else f"{pictures} pictures of late, {FEWEST_PICTURES} are needed"


def _by_label(recent: Recent, labels: Sequence[str]) -> NDArray[np.int64]:
    columns = {label: column for column, label in enumerate(labels)}
    totals = np.zeros((len(recent.stretches), len(labels)), np.int64)
    for row, stretch in enumerate(recent.stretches):
        for label, pictures in stretch.labels.items():
            totals[row, columns[label]] = pictures
    return totals


def _by_novelty(recent: Recent, even: int) -> NDArray[np.int64]:
    bins = np.array([stretch.novelty for stretch in recent.stretches])
    return np.column_stack([bins[:, :even], bins[:, even:].sum(axis=1)])
