"""How far the pictures of late are from those of the training: lower bounds, so that few pictures raise no alarm.

Both signals are shares of pictures. `label_drift` is at least the share that would have to be predicted otherwise for
the labels to be spread as in training; `novelty_drift`, at least the share that is more novel than it was there. What
chance explains is taken off, so that 0 is the rule without drift, whatever the number of labels and of pictures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.recent_pictures import Recent
from shared.bundle import BundleMetadata

CERTAINTY = 4.0
"""Standard deviations that are left to chance."""

FEWEST_PICTURES = 200
"""With fewer, neither signal says anything."""

NO_REFERENCE = "the bundle has no reference: it was made by an earlier trainer, or nothing was held out"

FAMILIAR_BELOW = 0.95
"""Up to here the novelty of pictures like those of the training is evenly spread, by its definition."""


def label_drift(counts: NDArray[np.int64], reference: NDArray[np.int64], *, effective: float) -> float:
    """A lower bound of the total variation distance between two distributions of labels, in [0, 1].

    The larger of two bounds: of the distance itself, half the sum of |p - q|, less its mean and 4 deviations by chance;
    and of the one label that differs most, |p - q| less 4 deviations and what rare labels are off to one side by, which
    sees one label among many sooner.

    Args:
        counts: pictures by label of late, shape (K,); at least one.
        reference: the same in training.
        effective: how many independent pictures the reference is worth.

    Source: the mean and the variance of |X| for normal X; the distance between empirical distributions is biased by
        chance alone, as is the population stability index (B. Yurdakul, "Statistical properties of population
        stability index", 2018). The term for rare labels is that of Bernstein's inequality.
    """
    n, m = float(counts.sum()), effective
    now, then = counts / n, reference / reference.sum()
    off = np.abs(now - then)
    pooled = (n * now + m * then) / (n + m)
    variance = pooled * (1 - pooled) * (1 / n + 1 / m)
    label_count = len(counts)
    by_chance = np.minimum(np.sqrt(2 * variance / math.pi), 2 * pooled).sum() / 2
    deviation = math.sqrt(variance.sum() * (1 - 2 / math.pi) * label_count / (label_count - 1)) / 2
    together = off.sum() / 2 - by_chance - CERTAINTY * deviation
    one_sided = CERTAINTY**2 / 3 / np.where(now > then, n, m)
    alone = (off - CERTAINTY * np.sqrt(variance) - one_sided).max()
    return max(0.0, float(together), float(alone))


def novelty_drift(up_to: NDArray[np.int64], edges: NDArray[np.float64], *, pictures: int, effective: float) -> float:
    """A lower bound of the share of pictures that are more novel than those of the training, in [0, 1].

    Of the greatest distance by which the distribution lies below the even one, sup (x - F(x)), at some edges; each
    less 4 deviations by chance.

    Args:
        up_to: pictures whose novelty is at most each edge, shape (E,).
        edges: in (0, 0.95], shape (E,).
        pictures: how many there are in all; at least one.
        effective: how many independent pictures the scale of novelty was made from.
    """
    variance = edges * (1 - edges) * (1 / pictures + 1 / effective)
    return max(0.0, float((edges - up_to / pictures - CERTAINTY * np.sqrt(variance)).max()))


@dataclass(frozen=True)
class Drift:
    """What can be said about the latest pictures of a version.

    Attributes:
        pictures: how many the window holds.
        label, novelty: the signals, in [0, 1]; None where there is none.
        label_reason, novelty_reason: why there is none; "" where there is.
    """

    pictures: int
    label: float | None = None
    novelty: float | None = None
    label_reason: str = ""
    novelty_reason: str = ""


def drift_of(metadata: BundleMetadata, recent: Recent, *, edges: Sequence[float]) -> Drift:
    """Compare the latest pictures with the training that bundle.json tells of.

    Args:
        metadata: of the version that is served.
        recent: what it said of late.
        edges: upper ends of the bins of novelty in `recent`.
    """
    reference = metadata.reference
    if reference is None:
        return _without(recent, NO_REFERENCE)
    if recent.pictures < FEWEST_PICTURES:
        return _without(recent, f"{recent.pictures} pictures of late, {FEWEST_PICTURES} are needed")
    counts = np.array([recent.labels[label] for label in metadata.labels])
    label = label_drift(counts, np.array(reference.counts), effective=reference.effective)
    if reference.novelty_effective is None:
        reason = metadata.thresholds.novelty_reason or "the model has no novelty"
        return Drift(recent.pictures, label=label, novelty_reason=reason)
    even = np.array([edge for edge in edges if edge <= FAMILIAR_BELOW])
    up_to = np.cumsum(recent.novelty)[: len(even)]
    novelty = novelty_drift(up_to, even, pictures=recent.pictures, effective=reference.novelty_effective)
    return Drift(recent.pictures, label=label, novelty=novelty)


def _without(recent: Recent, reason: str) -> Drift:
    return Drift(recent.pictures, label_reason=reason, novelty_reason=reason)
