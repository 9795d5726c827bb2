"""How sure a number is: 95 % intervals for a share of samples, grouped or not, and for the mean over repeated folds."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

_MANY_DEGREES = 200  # from here the expansion is exact to six digits


def wilson_interval(right: int, n: int) -> Interval:
    """95 % interval of a share, of which `right` of `n` independent trials came out right; within [0, 1].

    Raises:
        ValueError: not 0 <= right <= n, or n is 0.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"{right} right of {n}: expected 0 <= right <= n and n >= 1")
    return _wilson(right / n, n)


def wilson_of_share(share: float, n: float) -> Interval:
    """Wilson's interval of a share in [0, 1] for n independent samples, where n need not be whole; within [0, 1]."""
    return _wilson(share, n)


def grouped_interval(right: NDArray[np.bool_], groups: Sequence[str] | NDArray[np.int64]) -> Interval:
    """95 % interval of a share of samples that are right together or wrong together, as copies and series are.

    Where every group has one sample this is `wilson_interval`. Otherwise it is that of fewer samples: as many as
    independent ones would spread the share as widely as the groups do, and fewer still where there are few groups to
    tell that from. Where all are right, or none, a group counts as a single sample.

    Args:
        right: shape (N,), at least one.
        groups: N group ids, or numbers.

    Raises:
        ValueError: there is no sample.
    """
    n = len(right)
    if n < 1:
        raise ValueError("0 samples: expected 1 or more")
    return _wilson(float(right.mean()), effective_samples(right, groups)[0])


def effective_samples(right: NDArray[np.bool_], groups: Sequence[str] | NDArray[np.int64]) -> tuple[float, int]:
    """How many independent samples these are worth, and the degrees of freedom that tell how widely groups spread.

    Args:
        right: shape (N,), at least one.
        groups: N group ids, or numbers.

    Source: E. Korn and B. Graubard, Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data, Survey Methodology 24 (1998), with Wilson's interval in place of the exact one, and the
    degrees of freedom from the effective number of groups, which one large group makes small.
    """
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    sizes, n = np.bincount(index), len(right)
    share, of_one_size = float(right.mean()), float((sizes**2).sum()) / n
    degrees = max(1, int(n / of_one_size) - 1)
    if sizes.max() == 1:
        return float(n), degrees
    design_effect = _design_effect(right, index, share) if 0 < share < 1 else of_one_size
    return n / max(1.0, design_effect) * (Z_95 / students_t_95(degrees)) ** 2, degrees


def _design_effect(right: NDArray[np.bool_], group: NDArray[np.int64], share: float) -> float:
    """How many times as widely groups spread the share as independent samples would; of one group, all N."""
    excess = np.bincount(group, weights=right - share)
    if len(excess) == 1:
        return len(right)
    spread = len(excess) / (len(excess) - 1) * float((excess**2).sum())
    return spread / (len(right) * share * (1 - share))


def standard_error(values: NDArray[np.float64], groups: Sequence[str] | NDArray[np.int64]) -> float:
    """Of the mean of values, where those of one group are no independent witnesses; of a single group, infinite.

    sqrt(G / (G - 1) * sum over the G groups of (their sum of excesses over the mean)^2) / N: where every group has one
    value, the standard deviation by the square root of N.

    Args:
        values: shape (N,).
        groups: N group ids, or numbers.

    Source: W. G. Cochran, Sampling Techniques, 3rd edition (1977), 9A (clusters of unequal sizes).
    """
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    excess = np.bincount(index, weights=values - values.mean())
    if len(excess) < 2:
        return math.inf
    return math.sqrt(len(excess) / (len(excess) - 1) * float(np.square(excess).sum())) / len(values)


def _wilson(share: float, n: float) -> Interval:
    z_squared = Z_95**2
    centre = (share + z_squared / (2 * n)) / (1 + z_squared / n)
    half_width = Z_95 / (1 + z_squared / n) * math.sqrt(share * (1 - share) / n + z_squared / (4 * n * n))
    low = 0.0 if share == 0 else max(0.0, centre - half_width)
    return low, 1.0 if share == 1 else min(1.0, centre + half_width)


def repeated_folds_interval(values: Sequence[float], *, folds: int) -> Interval:
    """95 % interval of the mean of a number that was measured once in each fold of one or more cross-validations.

    Folds share training samples, so their values vary less than independent ones would; the interval allows for it:
    mean +- t(J - 1) * sqrt((1 / J + 1 / (folds - 1)) * variance), where J is the number of values and 1 / (folds - 1)
    the ratio of held-out to training samples.

    Args:
        values: one per fold and repetition, at least two.
        folds: of each cross-validation, at least 2.

    Raises:
        ValueError: there are fewer values or folds.

    Source: C. Nadeau and Y. Bengio, Inference for the generalization error, Machine Learning 52 (2003); for repeated
    folds R. Bouckaert and E. Frank, Evaluating the replicability of significance tests, PAKDD 2004.
    """
    count = len(values)
    if count < 2 or folds < 2:
        raise ValueError(f"{count} values of {folds} folds: expected at least 2 of each")
    mean, variance = float(np.mean(values)), float(np.var(values, ddof=1))
    half_width = students_t_95(count - 1) * math.sqrt((1 / count + 1 / (folds - 1)) * variance)
    return mean - half_width, mean + half_width


def students_t_95(degrees: int) -> float:
    """The 97.5 % quantile of Student's t distribution with this many degrees of freedom, at least 1.

    Source: the cumulative distribution is M. Abramowitz and I. Stegun (1964), 26.7.3 and 26.7.4; for many degrees the
    quantile's expansion, 26.7.5.
    """
    if degrees >= _MANY_DEGREES:
        return Z_95 + (Z_95**3 + Z_95) / (4 * degrees) + (5 * Z_95**5 + 16 * Z_95**3 + 3 * Z_95) / (96 * degrees**2)
    low, high = 0.0, 13.0  # 12.71 at one degree of freedom
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < 0.95 else (low, middle)
    return high


def _within(t: float, degrees: int) -> float:
    """Probability that Student's t lies in [-t, t]."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (1.0, 1.0) if degrees % 2 == 0 else (cosine, cosine)
    for i in range(2 if degrees % 2 else 1, degrees - 2, 2):
        term *= i / (i + 1) * cosine**2
        total += term
    if degrees % 2 == 0:
        return sine * total
    return 2 / math.pi * (angle + (sine * total if degrees > 1 else 0.0))
