"""What an audit of labelled pictures says: counts, findings, and whether a training can go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.errors.audit import NotFitForTraining
from trainer.findings import Finding, stops_training


@dataclass(frozen=True)
class AuditedLabel:
    """How many pictures a label has.

    Attributes:
        label: its name.
        usable: those that can be learned from.
        given: how many of them the data gives each split; none where it gives no splits.
    """

    label: str
    usable: int
    given: Mapping[str, int]


@dataclass(frozen=True)
class DataAudit:
    """What an audit found.

    Attributes:
        data: the name of the folder or table.
        labels_from: where labels came from, a part of a sentence.
        backbone: whose features were looked at.
        pictures: labelled pictures, those that cannot be read included.
        usable: those that can be learned from.
        counts: one for each label, the most frequent first.
        findings: what stops training first, then what is worth a look, then what was handled.
        notes: sentences on what could not be looked at.
    """

    data: str
    labels_from: str
    backbone: str
    pictures: int
    usable: int
    counts: tuple[AuditedLabel, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def can_train(self) -> bool:
        """Whether nothing was found that stops a training."""
        return not stops_training(self.findings)

    def as_json(self) -> dict[str, Any]:
        """What `audit --json` prints; the keys are explained in docs/audit.md."""
        return {
            "data": self.data,
            "labels_from": self.labels_from,
            "backbone": self.backbone,
            "can_train": self.can_train,
            "pictures": self.pictures,
            "usable": self.usable,
            "labels": [
                {"label": one.label, "pictures": one.usable, "given_splits": dict(one.given)} for one in self.counts
            ],
            "findings": [finding.as_json() for finding in self.findings],
            "notes": list(self.notes),
        }

    def require_fit_for_training(self) -> None:
        """Refuse what `train` would refuse.

        Raises:
            NotFitForTraining: something was found that stops a training.
        """
        if not self.can_train:
            raise NotFitForTraining([finding.title for finding in stops_training(self.findings)])
