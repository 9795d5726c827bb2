"""The answers that the headline is measured on: to the test split, or else to pictures in folds held out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import predicted_classes
from trainer.training import Measured, Training


@dataclass(frozen=True)
class HeldOut:
    """Answers to pictures whose head had not seen them.

    Attributes:
        rows: shape (n,), row numbers of the training's samples.
        targets: shape (n,), class indices.
        probabilities: shape (n, K).
    """

    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Class index with the highest score, shape (n,)."""
        return predicted_classes(self.probabilities)

    @property
    def scores(self) -> NDArray[np.float32]:
        """That score, shape (n,)."""
        return np.asarray(self.probabilities.max(axis=1), dtype=np.float32)

    def most_certain(self, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Positions in [0, n) of those `among` them, shape (n,), the highest score first; equal ones by row."""
        positions = np.flatnonzero(among)
        return positions[np.argsort(-self.scores[positions], kind="stable")]


def held_out_answers(training: Training, measured: Measured) -> HeldOut | None:
    """What `Measured.test`, or else `Measured.cross_validated`, was measured on; None where nothing was."""
    if measured.test is not None:
        rows, probabilities = measured.test_rows, measured.test_probabilities
    elif measured.cross_validated is not None:
        rows, probabilities = training.rows("train", "validation"), measured.fit.out_of_fold_probabilities
    else:
        return None
    return HeldOut(rows, training.targets[rows], probabilities)
