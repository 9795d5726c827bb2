"""How well a number tells two kinds of samples apart, whatever threshold is put on it."""

import numpy as np
from numpy.typing import NDArray


def roc_auc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve, in [0, 1]: how often a positive sample scores above a negative one; a tie counts half.

    None where there are no positive or no negative samples.

    Args:
        scores: shape (N,), high for positive.
        positive: shape (N,).

    Raises:
        ValueError: the lengths differ.

    Source: AreaUnderRocCurve of ML.NET's BinaryClassificationMetrics; as a rank sum, H. Mann and D. Whitney (1947).
    """
    _check(scores, positive)
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[index]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float | None:
    """Area under the precision-recall curve, in [0, 1], by steps: the mean precision at each positive sample.

    Tied samples are taken in together. None where there are no positive samples.

    Args:
        scores: shape (N,), high for positive.
        positive: shape (N,).

    Raises:
        ValueError: the lengths differ.

    Source: AreaUnderPrecisionRecallCurve of ML.NET's BinaryClassificationMetrics, there by trapezoids, which promises
    more than any threshold keeps (J. Davis and M. Goadrich, ICML 2006); scikit-learn's average_precision_score.
    """
    _check(scores, positive)
    if not positive.any():
        return None
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(positive[order])[last_of_tie]
    precision = found / (last_of_tie + 1)
    return float((np.diff(found, prepend=0) * precision).sum() / found[-1])


def _check(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> None:
    if len(scores) != len(positive):
        raise ValueError(f"{len(scores)} scores for {len(positive)} samples")
