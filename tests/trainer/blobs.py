"""Features that look like those of a backbone: not negative, correlated, of very different spread, in noisy classes."""

import numpy as np
from numpy.typing import NDArray


def make_blobs(
    n: int, *, features: int, classes: int, distance: float = 1.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
    """Features (n, features), targets (n,) with every class present, and one group for each row."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % classes
    hidden = distance * rng.normal(size=(classes, 8))[targets] + rng.normal(size=(n, 8))
    values = hidden @ rng.normal(size=(8, features)) + rng.normal(size=(n, features))
    values = np.maximum(values * np.exp(rng.normal(size=features)), 0)
    return values.astype(np.float32), targets.astype(np.int64), [f"group {row:05d}" for row in range(n)]
