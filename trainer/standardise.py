"""Means and standard deviations of features, so that every feature weighs alike under the head's penalty."""

import numpy as np
from numpy.typing import NDArray

FLOOR = 0.01
"""A feature that varies less than this share of the typical one is treated as if it varied by that much."""

PRIOR_ROWS = 3
"""Eight pictures of three labels: log loss 2.86 -> 0.34; sets of 120 and more: less than 0.01 either way."""


def standardisation(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each column of features (N, D), both of shape (D,); no deviation is 0."""
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean.astype(np.float32)
    variance = np.einsum("nd,nd->d", centred, centred, dtype=np.float64) / len(features)
    return mean.astype(np.float32), floored(np.sqrt(variance)).astype(np.float32)


def shrunk_standardisation(
    features: NDArray[np.float32], *, pictures: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`standardisation`, its deviations `shrunk`; `pictures` is how many the rows come from, if fewer than rows."""
    mean, std = standardisation(features)
    return mean, shrunk(std.astype(np.float64), np.float64(pictures or len(features))).astype(np.float32)


def shrunk(std: NDArray[np.float64], rows: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """Deviations over so many rows, drawn towards the typical one as if PRIOR_ROWS more rows had shown that.

    Of four rows some features hardly differ by chance; divided by so small a deviation they would drown all others in
    the next picture. With hundreds of rows this changes nothing. Works on the last axis; `rows` has its length 1
    there, or no axes.
    """
    variance = np.square(std)
    typical = variance.mean(axis=-1, keepdims=True)
    return np.asarray(np.sqrt((rows * variance + PRIOR_ROWS * typical) / (rows + PRIOR_ROWS)))


def floored(std: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviations raised to at least FLOOR times their root mean square, or to 1 where nothing varies at all.

    A feature that is constant, or nearly so, in the rows at hand would otherwise explode on the first row that
    differs. Works on the last axis.
    """
    typical = np.sqrt(np.mean(np.square(std), axis=-1, keepdims=True))
    return np.maximum(std, np.where(typical > 0, FLOOR * typical, 1.0))
