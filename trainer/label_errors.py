"""Which labels are likely wrong: confident learning on probabilities of heads that had not seen the pictures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.calibration import fit_temperature
from trainer.metrics import softmax


@dataclass(frozen=True, slots=True)
class LabelError:
    """A sample whose label is likely wrong.

    Attributes:
        row: of the sample.
        given: the class index of its label.
        suggested: the class index that it seems to have.
        confidence: the calibrated probability of the suggested class, in [0, 1].
    """

    row: int
    given: int
    suggested: int
    confidence: float


def find_label_errors(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.int64],
    *,
    trusted: NDArray[np.bool_] | None = None,
) -> tuple[LabelError, ...]:
    """The samples off the diagonal of the confident joint, those with the widest margin first.

    A sample belongs confidently to a class when its probability reaches what the samples of that class get on
    average; of several such classes the most probable counts. Where that is not the label, and more probable than the
    label, the label is likely wrong. As thresholds are those of the classes, one that the heads find hard is not
    blamed for it.

    Args:
        probabilities: shape (N, K), each row from a head that had not seen its sample.
        targets: shape (N,), class indices.
        trusted: shape (N,), the rows that the thresholds are taken from; all, if not said.

    Raises:
        ValueError: the lengths differ.

    Source: C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70
    (2021): thresholds of equation 2, errors as the off-diagonals of the confident joint, ranked by normalised margin.
    """
    if len(probabilities) != len(targets):
        raise ValueError(f"{len(probabilities)} rows of probabilities, {len(targets)} targets")
    rows = np.arange(len(targets))
    confident = probabilities >= _thresholds(probabilities, targets, trusted)
    suggested = np.where(confident, probabilities, -1.0).argmax(axis=1)
    margin = probabilities[rows, suggested] - probabilities[rows, targets]
    wrong = np.flatnonzero(confident.any(axis=1) & (suggested != targets) & (margin > 0))
    ranked = wrong[np.argsort(-margin[wrong], kind="stable")]
    return tuple(
        LabelError(int(row), int(targets[row]), int(suggested[row]), float(probabilities[row, suggested[row]]))
        for row in ranked
    )


def calibrated(
    logits: NDArray[np.floating], targets: NDArray[np.int64], *, by: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Probabilities (N, K) of logits divided by the temperature of `fit_temperature`.

    Args:
        logits: shape (N, K).
        targets: shape (N,), class indices.
        by: shape (N,), the rows that the temperature is chosen on; all, if not said.
    """
    rows = np.arange(len(targets)) if by is None else np.flatnonzero(by)
    # Not prudent: where the trusted labels are told apart without a mistake, one that is not is the more suspicious.
    return softmax(logits.astype(np.float64) / fit_temperature(logits[rows], targets[rows], prudent=False))


def _thresholds(
    probabilities: NDArray[np.floating], targets: NDArray[np.int64], trusted: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Mean probability of each class on the samples that carry its label; above 1 for a class without any."""
    thresholds = np.full(probabilities.shape[1], np.inf)
    for k in range(len(thresholds)):
        of_class = targets == k if trusted is None else (targets == k) & trusted
        if of_class.any():
            thresholds[k] = probabilities[of_class, k].mean()
    return thresholds
