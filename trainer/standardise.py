"""Means and standard deviations of features, so that every feature weighs alike under the head's penalty."""

import numpy as np
from numpy.typing import NDArray

FLOOR = 0.01
"""A feature that varies less than this share of the typical one is treated as if it varied by that much."""


def standardisation(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each column of features (N, D), both of shape (D,); no deviation is 0."""
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean.astype(np.float32)
    variance = np.einsum("nd,nd->d", centred, centred, dtype=np.float64) / len(features)
    return mean.astype(np.float32), floored(np.sqrt(variance)).astype(np.float32)


def floored(std: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviations raised to at least FLOOR times their root mean square, or to 1 where nothing varies at all.

    A feature that is constant, or nearly so, in the rows at hand would otherwise explode on the first row that
    differs. Works on the last axis.
    """
    typical = np.sqrt(np.mean(np.square(std), axis=-1, keepdims=True))
    return np.maximum(std, np.where(typical > 0, FLOOR * typical, 1.0))
