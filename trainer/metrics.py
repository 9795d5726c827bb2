"""How good predictions are: pure functions from probabilities and targets to numbers, by ML.NET's definitions.

Shapes throughout: probabilities (N, K) with rows that sum to 1, targets (N,) class indices in [0, K).
Every function raises ValueError when there is nothing to score or the lengths differ.
"""

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32] | NDArray[np.float64]
Targets = NDArray[np.int64]

SMALLEST_PROBABILITY = 1e-15
"""ML.NET's floor: a certain mistake costs ln(1e15), about 34.5 nats, instead of infinity."""


def accuracy(probabilities: Probabilities, targets: Targets) -> float:
    """Share of samples whose most probable class is the true one, in [0, 1]; ties go to the lower class index.

    Source: MicroAccuracy of ML.NET's MulticlassClassificationMetrics.
    """
    _check(probabilities, targets)
    return float((predicted_classes(probabilities) == targets).mean())


def macro_accuracy(probabilities: Probabilities, targets: Targets) -> float:
    """Mean of the per-class accuracies, in [0, 1]; a class without a sample has none and is left out.

    Source: MacroAccuracy of ML.NET's MulticlassClassificationMetrics.
    """
    per_class = [value for value in per_class_accuracy(probabilities, targets) if value is not None]
    return float(np.mean(per_class))


def per_class_accuracy(probabilities: Probabilities, targets: Targets) -> list[float | None]:
    """For each of the K classes, the share of its samples that were recognised; None where it has no sample."""
    table = confusion_matrix(probabilities, targets)
    counts = table.sum(axis=1)
    return [float(table[k, k] / counts[k]) if counts[k] else None for k in range(len(table))]


def log_loss(probabilities: Probabilities, targets: Targets) -> float:
    """Mean negative log-likelihood of the true class, in nats; 0 is perfect, a certain mistake costs about 34.5.

    Source: LogLoss of ML.NET's MulticlassClassificationMetrics, including its 1e-15 floor.
    """
    return float(sample_losses(probabilities, targets).mean())


def per_class_log_loss(probabilities: Probabilities, targets: Targets) -> list[float | None]:
    """For each of the K classes, the mean loss of its samples in nats; None where it has no sample.

    Source: PerClassLogLoss of ML.NET's MulticlassClassificationMetrics.
    """
    losses = sample_losses(probabilities, targets)
    of_class = [losses[targets == k] for k in range(probabilities.shape[1])]
    return [float(values.mean()) if len(values) else None for values in of_class]


def log_loss_reduction(probabilities: Probabilities, targets: Targets) -> float | None:
    """How much of the prior's log loss is taken away: 1 is perfect, 0 is as good as guessing by label frequency.

    (prior log loss - log loss) / prior log loss, where the prior predicts for every sample the label frequencies
    of the evaluated samples themselves. None when all samples have one label: the prior is then perfect already.

    Source: LogLossReduction of ML.NET's MulticlassClassificationMetrics.
    """
    loss = log_loss(probabilities, targets)
    prior_loss = label_entropy(targets)
    return (prior_loss - loss) / prior_loss if prior_loss > 0 else None


def label_entropy(targets: Targets) -> float:
    """Log loss, in nats, of always predicting the label frequencies of `targets`."""
    frequencies = np.unique(targets, return_counts=True)[1] / len(targets)
    return float(-(frequencies * np.log(frequencies)).sum())


def sample_losses(probabilities: Probabilities, targets: Targets) -> NDArray[np.float64]:
    """Negative log-likelihood of each sample's true class, shape (N,), in nats, with the 1e-15 floor."""
    _check(probabilities, targets)
    of_true_class = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return -np.log(np.clip(of_true_class, SMALLEST_PROBABILITY, 1.0))


def top_k_accuracy(probabilities: Probabilities, targets: Targets, k: int) -> float:
    """Share of samples whose true class is among the k most probable, in [0, 1]; ties go to the lower class index.

    Raises:
        ValueError: also when k is below 1. More than K is clamped.

    Source: TopKAccuracy of ML.NET's MulticlassClassificationMetrics (TopKPredictionCount), there with ties shared.
    """
    _check(probabilities, targets)
    if k < 1:
        raise ValueError(f"k = {k}, expected at least 1")
    return float((_places(probabilities, targets) < k).mean())


def top_k_accuracy_for_all_k(probabilities: Probabilities, targets: Targets) -> NDArray[np.float64]:
    """`top_k_accuracy` for each k from 1 to K, shape (K,): rising to 1.

    Source: TopKAccuracyForAllK of ML.NET's MulticlassClassificationMetrics.
    """
    _check(probabilities, targets)
    places = np.bincount(_places(probabilities, targets), minlength=probabilities.shape[1])
    return np.asarray(np.cumsum(places) / len(targets), dtype=np.float64)


def confusion_matrix(probabilities: Probabilities, targets: Targets) -> NDArray[np.int64]:
    """Counts of samples, shape (K, K): row = actual class, column = predicted class.

    Source: ConfusionMatrix of ML.NET, whose Counts have the same orientation.
    """
    _check(probabilities, targets)
    class_count = probabilities.shape[1]
    cells = targets * class_count + predicted_classes(probabilities)
    return np.bincount(cells, minlength=class_count**2).reshape(class_count, class_count).astype(np.int64)


def per_class_f1(probabilities: Probabilities, targets: Targets) -> list[float | None]:
    """For each of the K classes, 2 right / (samples + predicted): the harmonic mean of precision and recall, in [0, 1].

    0 where none of its samples is recognised, or it is predicted without having any; None where it has neither.

    Source: F1Score of ML.NET's BinaryClassificationMetrics, for each class against the rest.
    """
    table = confusion_matrix(probabilities, targets)
    totals = (table.sum(axis=0) + table.sum(axis=1)).tolist()
    return [float(2 * table[k, k] / total) if total else None for k, total in enumerate(totals)]


def macro_f1(probabilities: Probabilities, targets: Targets) -> float:
    """Mean of the per-class F1, in [0, 1]; a class without samples and predictions has none and is left out."""
    return float(np.mean([value for value in per_class_f1(probabilities, targets) if value is not None]))


def weighted_f1(probabilities: Probabilities, targets: Targets) -> float:
    """Mean of the per-class F1 weighted by the samples of each class, in [0, 1]."""
    values = np.array([value or 0.0 for value in per_class_f1(probabilities, targets)])
    return float(values[targets].mean())


def predicted_classes(probabilities: Probabilities) -> Targets:
    """Most probable class index of each row, shape (N,); ties go to the lower index."""
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)


def softmax(logits: Probabilities) -> NDArray[np.float64]:
    """Probabilities of logits, both (N, K), computed in float64; safe for logits of any size."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _places(probabilities: Probabilities, targets: Targets) -> NDArray[np.int64]:
    """How many classes are more probable than the true one, or as probable with a lower index, shape (N,)."""
    own = probabilities[np.arange(len(targets)), targets][:, None]
    lower = np.arange(probabilities.shape[1]) < targets[:, None]
    return np.asarray(((probabilities > own) | ((probabilities == own) & lower)).sum(axis=1), dtype=np.int64)


def _check(probabilities: Probabilities, targets: Targets) -> None:
    if len(targets) == 0 or len(targets) != len(probabilities):
        raise ValueError(f"{len(targets)} targets for {len(probabilities)} rows of probabilities")
