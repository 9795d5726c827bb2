"""From which correlation on two pictures are one: calibrated on the data set itself, with copies planted in it."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from trainer.likeness import correlate
from trainer.patterns import MOST_CROPPED, stretched

_COPIES = 200
_PAIRS = 300
_MOST_BRIGHTENED = 1.3
_NOISE = 0.7
"""Grey levels by which re-encoding at quality 40 changes the mean of an 8 x 8 block."""

_OF_COPIES = 0.02
_OF_DIFFERENT = 0.99
_LEAST_DIFFERENT = 0.4
_LEAST, _MOST = 0.8, 0.98
_FALSE_PAIRS = 0.1


@dataclass(frozen=True)
class Calibration:
    """What the correlations of a data set are.

    Attributes:
        copies: what 98 % of planted copies reach.
        different: what 99 % of pairs of different pictures with the same label stay below, but at least 0.4.
        threshold: from here on two pictures are taken for one. Two thirds of the way from `different` to `copies`, and
            where pictures of one label are so alike that this would join some, so high that a tenth of such a pair is
            expected in all; but not above `copies`. 0.98 where copies cannot be told from different pictures, as with
            stripes that are finer than the small picture shows: then only those that nothing was cropped of are found.
        together: what all pairs of a group must reach: half of the way.
    """

    copies: float
    different: float
    threshold: float
    together: float


def calibrate(grey: NDArray[np.uint8], targets: NDArray[np.int64]) -> Calibration:
    """Plant copies of some pictures, and compare them with pairs of different ones.

    Rows are in the order of a hash, so that the first of them are a sample of all, and nearly the same sample when
    pictures are added. Ways and tails are measured after Fisher's transform, the inverse hyperbolic tangent, which
    makes correlations nearly normal.

    Args:
        grey: shape (N, 32, 32), of pictures that are not byte for byte the same.
        targets: shape (N,), class indices.
    """
    originals = grey[:_COPIES]
    copies = float(np.quantile(_normal(correlate(originals, plant(originals))[0]), _OF_COPIES))
    first, second = _pairs_of_a_class(targets)
    of_pairs = _normal(correlate(grey[first], grey[second])[0])
    median, high = _middle_and_end(of_pairs, copies)
    deviation = (high - median) / NormalDist().inv_cdf(_OF_DIFFERENT)
    seldom = median + deviation * NormalDist().inv_cdf(1 - _FALSE_PAIRS / max(1, _count_pairs(targets)))
    high = max(high, math.atanh(_LEAST_DIFFERENT))
    separate = copies > high
    threshold = max(high + (copies - high) * 2 / 3, min(seldom, copies)) if separate else math.inf
    return Calibration(
        copies=math.tanh(copies),
        different=math.tanh(high),
        threshold=_bounded(threshold),
        together=_bounded((high + copies) / 2 if separate else math.inf),
    )


def _middle_and_end(of_pairs: NDArray[np.float64], copies: float) -> tuple[float, float]:
    """What half and 99 % of different pictures stay below, as far as they are different.

    Pairs that come within a third of the way to copies are copies, which the data came with.
    """
    if not len(of_pairs):
        return 0.0, 0.0
    middle = float(np.median(of_pairs))
    different = of_pairs[of_pairs < max(middle + (copies - middle) * 2 / 3, math.atanh(_LEAST))]
    return middle, float(np.quantile(different, _OF_DIFFERENT)) if len(different) else middle


def plant(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of each picture, as carelessness makes them: cropped by up to 6 %, brighter or darker, encoded again."""
    random = np.random.default_rng(0)
    crops = random.uniform(0, MOST_CROPPED, (len(grey), 4))
    rows = np.array([stretched(top, bottom) for top, bottom, _, _ in crops])
    columns = np.array([stretched(left, right) for _, _, left, right in crops])
    brightness = _MOST_BRIGHTENED ** random.uniform(-1, 1, (len(grey), 1, 1))
    copies = (rows @ grey.astype(np.float64) @ columns.transpose(0, 2, 1)) * brightness
    noisy = copies + random.normal(0, _NOISE, copies.shape)
    planted: NDArray[np.uint8] = noisy.round().clip(0, 255).astype(np.uint8)
    return planted


def _pairs_of_a_class(targets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Neighbours in the order of the rows that have the same target, the first few of them."""
    by_class = np.lexsort((np.arange(len(targets)), targets))
    same = targets[by_class[:-1]] == targets[by_class[1:]]
    first, second = by_class[:-1][same], by_class[1:][same]
    order = np.argsort(first, kind="stable")[:_PAIRS]
    return first[order], second[order]


def _count_pairs(targets: NDArray[np.int64]) -> int:
    """How many pairs have the same target."""
    sizes = np.bincount(targets)
    return int((sizes * (sizes - 1) // 2).sum())


def _normal(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    transformed: NDArray[np.float64] = np.arctanh(np.minimum(correlations, 0.9999))
    return transformed


def _bounded(normal: float) -> float:
    """The correlation, in bounds and to two digits, so that a few more pictures seldom change it."""
    return round(min(max(math.tanh(normal), _LEAST), _MOST), 2)
