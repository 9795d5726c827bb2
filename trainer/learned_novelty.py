"""Novelty as a training learns it: from the rows that the published head is fitted on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.bundle import FEATURES, LOGITS, NOVELTY, PROBABILITIES, Thresholds
from trainer.novelty import Novelty, NoveltyFit, fit_novelty
from trainer.novelty_report import NoveltyReport, report_novelty
from trainer.rows import take
from trainer.training import Training


@dataclass(frozen=True)
class LearnedNovelty:
    """What a run knows of novelty: the fit, what it is worth on this data (None without novelty), and the threshold."""

    fit: NoveltyFit
    report: NoveltyReport | None
    unfamiliar: float

    @property
    def served(self) -> Novelty | None:
        """What becomes part of the graph."""
        return self.fit.novelty

    @property
    def outputs(self) -> tuple[str, ...]:
        """The served graph's, in their order."""
        return (PROBABILITIES, LOGITS, FEATURES) + ((NOVELTY,) if self.served else ())

    @property
    def thresholds(self) -> Thresholds:
        """As bundle.json has them: above what a picture is unfamiliar, or why that is not known."""
        if self.served is None:
            return Thresholds(novelty_reason=self.fit.reason)
        return Thresholds(unfamiliar=self.unfamiliar)

    def headline(self) -> dict[str, Any]:
        """The few numbers that bundle.json and `train --json` carry; null where there is no novelty."""
        report = self.report
        return {
            "left_out_auroc": report.auroc if report else None,
            "left_out_noticed": report.noticed if report else None,
            "unfamiliar_share": report.share if report else None,
        }

    def as_json(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes."""
        return {"reason": self.fit.reason or None} if self.report is None else self.report.as_json()


def learn_novelty(training: Training, rows: NDArray[np.int64], *, unfamiliar: float, seed: int) -> LearnedNovelty:
    """Fit novelty on some rows, and see what it notices.

    Args:
        training: with the features that are served.
        rows: those that the published head was fitted on.
        unfamiliar: the threshold.
        seed: of the folds.
    """
    features, targets = take(training.features, rows), training.targets[rows]
    fit = fit_novelty(features, targets, [training.groups[row] for row in rows.tolist()], seed=seed)
    return LearnedNovelty(
        fit, report_novelty(fit, features, targets, training.labels, unfamiliar=unfamiliar), unfamiliar
    )
