"""What is asked of two classes only: how well a score tells one from the other, whatever threshold is put on it.

Neither label is the "positive" one: what depends on it is told for both. Precision, recall and F1 of each are those of
any number of classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import Probabilities
from trainer.ranking import average_precision, roc_auc


@dataclass(frozen=True)
class BinaryEvaluation:
    """The areas of ML.NET's BinaryClassificationMetrics, in [0, 1]; None where nothing can be counted.

    Attributes:
        area_under_roc: how often a sample of one label has a higher score for it than one of the other; the same
            number for both labels.
        area_under_precision_recall: by label, when it is what is looked for: mean precision at each of its samples, see
            `average_precision`.
    """

    area_under_roc: float | None
    area_under_precision_recall: Mapping[str, float | None]

    def as_json(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes."""
        return asdict(self)


def evaluate_two(
    probabilities: Probabilities, targets: NDArray[np.int64], labels: Sequence[str]
) -> BinaryEvaluation | None:
    """Measure predictions of two classes; None where there are more.

    Args:
        probabilities: shape (N, 2), N at least 1.
        targets: shape (N,), class indices.
        labels: both class names.
    """
    if len(labels) != 2:
        return None
    return BinaryEvaluation(
        area_under_roc=roc_auc(probabilities[:, 1], targets == 1),
        area_under_precision_recall={
            label: average_precision(probabilities[:, k], targets == k) for k, label in enumerate(labels)
        },
    )
