"""What a model says about one picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """One label with its score, the probability in [0, 1] that the model gives it."""

    label: str
    score: float


def top_k(probabilities: NDArray[np.float32], labels: Sequence[str], k: int) -> list[Prediction]:
    """The k most probable labels, best first; equal scores keep the order of `labels`.

    Args:
        probabilities: shape (K,).
        labels: K names.
        k: how many; more than K is clamped.

    Raises:
        ValueError: k is below 1, or the lengths differ.
    """
    if k < 1 or len(probabilities) != len(labels):
        raise ValueError(f"k = {k} of {len(labels)} labels for {len(probabilities)} probabilities")
    order = np.argsort(-probabilities, kind="stable")[:k]
    return [Prediction(labels[index], float(probabilities[index])) for index in order]
