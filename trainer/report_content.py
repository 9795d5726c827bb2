"""What a report tells: plain values, so that it can be written, and tried out, without a training run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from trainer.cross_validation import CrossValidation
from trainer.evaluation import Evaluation


@dataclass(frozen=True)
class LabelCount:
    """How many samples of a label went to each split."""

    label: str
    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """Samples of the label."""
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class LeftOut:
    """A file that was not used, and why in words."""

    name: str
    reason: str


@dataclass(frozen=True)
class Mistake:
    """A sample of the test split that was given a wrong label.

    Attributes:
        picture_jpeg: a small picture, at most about 200 px wide, as JPEG bytes; None keeps it out of the report.
        name: the sample's name.
        actual: its label.
        predicted: the label it was given.
        score: the probability given to `predicted`, in [0, 1].
    """

    picture_jpeg: bytes | None
    name: str
    actual: str
    predicted: str
    score: float


@dataclass(frozen=True)
class BackboneFacts:
    """Which frozen network computed the features.

    Attributes:
        name: in the catalogue.
        reason: why it was chosen, a sentence.
        weights: where they came from.
        weights_sha256: 64 hex digits.
        licence: of the weights.
        feature_size: D.
        input_size: in words, such as "224 x 224 px, cropped".
    """

    name: str
    reason: str
    weights: str
    weights_sha256: str
    licence: str
    feature_size: int
    input_size: str


@dataclass(frozen=True)
class HeadFacts:
    """How the head was chosen and fitted.

    Attributes:
        l2: the strength.
        swept: strengths that were tried with their cross-validated log loss in nats; empty when it was fixed.
        folds: of that cross-validation; 0 without.
        note: what was done differently from the plan, or "".
        final_fit: "all" when the published head was fitted again on every split, "train" when it is the measured one.
    """

    l2: float
    swept: Sequence[tuple[float, float]]
    folds: int
    note: str
    final_fit: Literal["all", "train"]


@dataclass(frozen=True)
class ReportFacts:
    """Everything report.html and card.md tell.

    Attributes:
        name: of the model.
        created: when, such as "2026-03-01 12:00 UTC".
        data: what was trained on, in words; a folder's name rather than its path.
        labels_from: where the labels come from, in words.
        label_counts: one for each label, in the order of class indices.
        backbone: the frozen network.
        head: the trained layer.
        test: numbers on the test split; None when there is none.
        cross_validated: numbers of the out-of-fold predictions that selection used; None without folds.
        folds: the nested cross-validation of `--folds`; None when not asked for.
        mistakes: on the test split, in any order.
        include_pictures: False when pictures were kept out on request, which the report then says.
        warnings: sentences that a reader must not miss.
        passed_over: files that are no samples, such as a licence text.
        unreadable: pictures that could not be decoded.
        missing: files that a table names and that are not there.
        conflicting: pictures that appear under more than one label and were dropped.
        duplicates: names of samples that are the same picture, two or more together.
        settings: as given.
        tools: name and version of what influences the result.
    """

    name: str
    created: str
    data: str
    labels_from: str
    label_counts: Sequence[LabelCount]
    backbone: BackboneFacts
    head: HeadFacts
    test: Evaluation | None
    cross_validated: Evaluation | None = None
    folds: CrossValidation | None = None
    mistakes: Sequence[Mistake] = ()
    include_pictures: bool = True
    warnings: Sequence[str] = ()
    passed_over: Sequence[LeftOut] = ()
    unreadable: Sequence[LeftOut] = ()
    missing: Sequence[str] = ()
    conflicting: Sequence[str] = ()
    duplicates: Sequence[Sequence[str]] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)

    @property
    def measured(self) -> Evaluation | None:
        """The headline numbers: of the test split, else cross-validated."""
        return self.test or self.cross_validated
