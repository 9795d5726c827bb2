"""What an audit finds, as typed values: which pictures, how serious it is, what it means and what to do about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What becomes of a finding when one trains."""

    STOPS = "stops-training"
    LOOK = "worth-a-look"
    HANDLED = "handled"  # left out, grouped or put right, without a question


class Kind(StrEnum):
    """What was found. The words are stable: programs that read `audit --json` may rely on them."""

    TOO_MANY_UNUSABLE = "too-many-unusable"
    TOO_MANY_MISSING = "too-many-missing"
    TOO_MANY_CONFLICTS = "too-many-conflicts"
    SINGLE_CLASS = "single-class"
    CLASS_TOO_SMALL = "class-too-small"
    LABEL_NOT_IN_TRAIN = "label-not-in-train"
    UNREADABLE = "unreadable"
    CONFLICTING = "same-picture-two-labels"
    MISSING = "missing"
    EXACT_DUPLICATES = "exact-duplicates"
    NEAR_DUPLICATES = "near-duplicates"
    ACROSS_SPLITS = "duplicates-across-splits"
    IN_TEST_SET = "in-the-test-set"
    WRONG_EXTENSION = "wrong-extension"
    ROTATED = "exif-rotated"
    PASSED_OVER = "passed-over"
    EMPTY_FOLDERS = "empty-folders"
    LABEL_ERRORS = "label-errors"
    ALIKE_TWO_LABELS = "near-duplicates-two-labels"
    ALIKE_TOO_MANY = "near-duplicates-oversized"
    OUTLIERS = "outliers"
    DARK = "dark"
    UNIFORM = "uniform"
    BLURRED = "blurred"
    FEW_PICTURES = "few-pictures"
    IMBALANCE = "imbalance"


@dataclass(frozen=True, slots=True)
class Mention:
    """One picture, or several that belong together, and why they are named.

    Attributes:
        names: of the picture, or of all that belong together; of a label, where the finding is about labels.
        detail: the reason or the figure in words: "looks like dog (97 %)"; "" where the finding says it all.
        figure: what the finding is ranked by, in the unit of its kind (see docs/audit.md); None where there is none.
        labels: the label of each name; () where they have none, or it does not matter.
        suggested: the label that the picture seems to have instead; None but for likely label errors.
    """

    names: tuple[str, ...]
    detail: str = ""
    figure: float | None = None
    labels: tuple[str, ...] = ()
    suggested: str | None = None

    def named(self, most: int) -> str:
        """The names on one line, as what they are: one picture. Of many, the first `most` and how many more."""
        more = len(self.names) - most
        return " = ".join(self.names[:most]) + (f" and {more:,} more" if more > 0 else "")

    def as_json(self) -> dict[str, Any]:
        """Plain values; what is not known is left out."""
        known: dict[str, Any] = {"names": list(self.names)}
        if self.labels:
            known["labels"] = list(self.labels)
        if self.suggested is not None:
            known["suggested"] = self.suggested
        if self.figure is not None:
            known["figure"] = round(self.figure, 6)
        return known | ({"detail": self.detail} if self.detail else {})


@dataclass(frozen=True)
class Finding:
    """Something that was found in the data.

    Attributes:
        kind: what.
        severity: what becomes of it when one trains.
        title: in the plural, such as "Unreadable pictures".
        meaning: what it means and what to do, one or two plain sentences.
        mentions: all pictures it is about, the most striking first.
    """

    kind: Kind
    severity: Severity
    title: str
    meaning: str
    mentions: tuple[Mention, ...] = ()

    @property
    def total(self) -> int:
        """How many pictures, or sets of pictures that belong together, are named."""
        return len(self.mentions)

    def as_json(self) -> dict[str, Any]:
        """One finding of `audit --json`."""
        return {
            "kind": str(self.kind),
            "severity": str(self.severity),
            "title": self.title,
            "meaning": self.meaning,
            "total": self.total,
            "mentions": [mention.as_json() for mention in self.mentions],
        }


def stops_training(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that make training impossible or meaningless."""
    return of_severity(findings, Severity.STOPS)


def of_severity(findings: Iterable[Finding], severity: Severity) -> tuple[Finding, ...]:
    """Those of one severity, in their order."""
    return tuple(finding for finding in findings if finding.severity is severity)


def names_in(findings: Iterable[Finding]) -> frozenset[str]:
    """Every name that these findings mention."""
    return frozenset(name for finding in findings for mention in finding.mentions for name in mention.names)


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What stops training first, then what is worth a look, then what was handled; within it in the order of Kind."""
    severities: Sequence[Severity] = tuple(Severity)
    kinds: Sequence[Kind] = tuple(Kind)
    return tuple(sorted(findings, key=lambda one: (severities.index(one.severity), kinds.index(one.kind))))
