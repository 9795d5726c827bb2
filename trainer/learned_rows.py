"""The rows that a head is fitted on: the plain ones, then their views, and how much each weighs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.standardise import shrunk_standardisation


@dataclass(frozen=True)
class LearnedRows:
    """Plain rows first, then those of each view; M = (V + 1) * N, standardised.

    Attributes:
        features: shape (M, D), standardised over all of them.
        targets: shape (M,), class indices.
        weights: shape (M,), of the rows in the loss: together those of a picture weigh 1, with balance those of each
            label alike.
        mean, std: shape (D,), what the features were standardised with; the deviations are `shrunk`.
        plain: N, how many are measured.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    plain: int

    def repeated(self, of_pictures: NDArray[np.int64]) -> NDArray[np.int64]:
        """What is known of each picture, such as its fold, shape (N,), for each row, shape (M,)."""
        return np.tile(of_pictures, len(self.features) // self.plain)


def learned_rows(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    class_count: int,
    views: NDArray[np.float32] | None = None,
    balance: bool = False,
) -> LearnedRows:
    """Stack, standardise and weigh plain rows (N, D) and views (V, N, D); `balance` weighs labels alike."""
    count = 0 if views is None else len(views)
    stacked = features if views is None or not count else np.concatenate([features, *views])
    mean, std = shrunk_standardisation(stacked, pictures=len(features))
    of_picture = np.ones(len(features), np.float32) if not balance else balanced_weights(targets, class_count)
    return LearnedRows(
        features=(stacked - mean) / std,
        targets=np.tile(targets, count + 1),
        weights=np.tile(of_picture / np.float32(count + 1), count + 1),
        mean=mean,
        std=std,
        plain=len(features),
    )


def balanced_weights(targets: NDArray[np.int64], class_count: int) -> NDArray[np.float32]:
    """Weights (N,) with the mean 1 that give each class the same total; a class without a row has none."""
    counts = np.bincount(targets, minlength=class_count)
    present = np.count_nonzero(counts)
    return (len(targets) / (present * counts[targets])).astype(np.float32)
