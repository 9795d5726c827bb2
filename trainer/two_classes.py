"""What is asked of two classes only: one is what is looked for, the other is the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import Probabilities, confusion_matrix
from trainer.ranking import average_precision, roc_auc


@dataclass(frozen=True)
class BinaryEvaluation:
    """The numbers of ML.NET's BinaryClassificationMetrics, all in [0, 1]; None where nothing can be counted.

    Attributes:
        positive: the label that counts as found; the second.
        area_under_roc: how often a positive sample scores above a negative one.
        area_under_precision_recall: mean precision at each positive sample, see `average_precision`.
        f1: of the positive label.
        positive_precision, positive_recall: share of those called positive that are; share of the positive ones found.
        negative_precision, negative_recall: the same of the other label.
    """

    positive: str
    area_under_roc: float | None
    area_under_precision_recall: float | None
    f1: float | None
    positive_precision: float | None
    positive_recall: float | None
    negative_precision: float | None
    negative_recall: float | None


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
    (negative_right, called_positive), (called_negative, positive_right) = confusion_matrix(
        probabilities, targets
    ).tolist()
    score, positive = probabilities[:, 1], targets == 1
    return BinaryEvaluation(
        positive=labels[1],
        area_under_roc=roc_auc(score, positive),
        area_under_precision_recall=average_precision(score, positive),
        f1=_share(2 * positive_right, 2 * positive_right + called_positive + called_negative),
        positive_precision=_share(positive_right, positive_right + called_positive),
        positive_recall=_share(positive_right, positive_right + called_negative),
        negative_precision=_share(negative_right, negative_right + called_negative),
        negative_recall=_share(negative_right, negative_right + called_positive),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
