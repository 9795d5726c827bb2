"""What a report tells: plain values, so that it can be written, and tried out, without a training run."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.balance import BalanceEffect
from trainer.calibration import Calibration, ReliabilityBin
from trainer.compared import Compared
from trainer.coverage import CoveragePoint
from trainer.cross_validation import CrossValidation
from trainer.evaluation import Evaluation
from trainer.headline import Headline, Measurement
from trainer.learning_curve import LearningCurve
from trainer.live_metrics import HeadStep
from trainer.mistakes import Mistake
from trainer.mix_ups import PicturedMixUp
from trainer.novelty_report import NoveltyReport
from trainer.recipe import HeadKind
from trainer.recipe_search import Tried
from trainer.samples import NamedTest

MOST_LISTED = 100


@dataclass(frozen=True)
class LabelCount:
    """How many samples of a label each split has."""

    label: str
    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """In all splits."""
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class BackboneFacts:
    """The frozen network.

    Attributes:
        name: in the catalogue.
        reason: why it was chosen, a sentence.
        weights: where they came from.
        weights_sha256: of their file, 64 hex digits.
        licence: their terms, as far as known.
        feature_size: D.
        preprocess: what happens to a picture before it, in words.
        taps: stages that are read beside the penultimate one.
        mirror: features are the mean of those of the picture and of its mirror image.
    """

    name: str
    reason: str
    weights: str
    weights_sha256: str
    licence: str
    feature_size: int
    preprocess: str
    taps: tuple[str, ...] = ()
    mirror: bool = False


@dataclass(frozen=True)
class Shown:
    """Pictures that a finding names, to look at: one, or several that belong together.

    Attributes:
        pictures_jpeg: a thumbnail of each of the first few; None for one that is gone by now.
        names: of all of them, or the first and how many more.
        detail: why they are named; "" where the finding says it all.
    """

    pictures_jpeg: tuple[bytes | None, ...]
    names: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class Noticed:
    """Something that was found in the data, for a reader.

    Attributes:
        title: what was found, in the plural: "Unreadable pictures".
        meaning: what it means, what was done or is to be done.
        look: whether a person should look at it; else it was dealt with.
        shown: the most striking, with thumbnails; empty where there is nothing to see.
        lines: names, with the reason where there is one; at most MOST_LISTED.
        total: how many there are.
    """

    title: str
    meaning: str
    look: bool
    shown: tuple[Shown, ...]
    lines: tuple[str, ...]
    total: int


@dataclass(frozen=True)
class HeadFacts:
    """How the head was chosen.

    Attributes:
        l2: the strength.
        swept: (strength, cross-validated log loss in nats) of each that was tried; empty when it was not chosen.
        folds: of that cross-validation; 0 without.
        note: what was done differently from the plan; "" if nothing.
        refitted: whether the published head was fitted again on every split, after it was measured.
        kind: what kind of head it is.
        recipe: features, views and head in words; "" where nothing was chosen.
        history: the training curve of a head that is fitted in epochs; empty for others.
        tried: the recipes that were compared, in the order of trial; empty where nothing was.
        bound: what was left out so that the comparison ended in time, in words; "" for nothing.
        views: augmented views that were learned from beside each picture.
    """

    l2: float
    swept: tuple[tuple[float, float], ...]
    folds: int
    note: str
    refitted: bool
    kind: HeadKind = "probe"
    recipe: str = ""
    history: tuple[HeadStep, ...] = ()
    tried: tuple[Tried, ...] = ()
    bound: str = ""
    views: int = 0


@dataclass(frozen=True)
class ScoreFacts:
    """How far scores can be trusted: measured on answers of heads that had not seen the pictures.

    Attributes:
        calibration: the errors, and the reliability diagram with the temperature.
        bins_before: the reliability diagram without it.
        coverage: accuracy of the answers above each threshold.
        suggested: thresholds worth a thought, from low to high; found on the pictures of the cross-validation.
        on_test: what each of them does on the test split, None where nothing there reaches it; empty without one.
    """

    calibration: Calibration
    bins_before: tuple[ReliabilityBin, ...]
    coverage: tuple[CoveragePoint, ...]
    suggested: tuple[CoveragePoint, ...]
    on_test: tuple[CoveragePoint | None, ...] = ()


@dataclass(frozen=True)
class ReportFacts:
    """Everything that report.html and card.md say. All strings are untrusted text, to be escaped by whoever writes.

    Attributes:
        name: of the model.
        trained_at: when the run started, UTC, to the minute.
        data: name of the data folder or table, without its place.
        labels_from: where labels came from, a part of a sentence.
        manifest_digest: of the samples, 64 hex digits.
        counts: one for each label, in the order of class indices.
        backbone: the frozen network.
        head: how the head was chosen.
        test: on the test split; None when there is none.
        cross_validated: pooled out-of-fold predictions of train and validation; None without.
        folds: nested cross-validation over all samples; None when not asked for.
        mistakes: among the answers that `measured` counts, most confident first, bounded.
        mistake_count: how many mistakes there are.
        mix_ups: the most frequent pairs of labels among them, with pictures.
        pictures: whether pictures may be shown.
        findings: what was found in the data, what is worth a look first.
        settings: (option, value).
        tools: (package, version).
        seconds: (step, seconds) until the report was written.
        learning_curve: accuracy by the number of pictures learned from; None where it could not be measured.
        scores: how far they can be trusted; None where that was not measured.
        novelty: whether it notices what it does not know; None where there is none.
        max_softmax: how often the best score alone would have noticed a picture of a label that novelty's report left
            out, in [0, 1]; None without novelty.
        balance: what weighing labels alike does; None without folds, or where they have equally many pictures.
        compared: the backbones that one was picked from, the most accurate first; empty where it was named.
        precision: what the model computes in and why, a sentence; "" where nobody asked.
        requirements: what the model requires of a CPU; empty where any will do.
        named_test: the test set that `--test` named; None where it is a split of the data.
        uneven_split: how far the split is from the wished one and why, a sentence; "" where it is near, or given.
    """

    name: str
    trained_at: str
    data: str
    labels_from: str
    manifest_digest: str
    counts: tuple[LabelCount, ...]
    backbone: BackboneFacts
    head: HeadFacts
    test: Evaluation | None
    cross_validated: Evaluation | None
    folds: CrossValidation | None
    mistakes: Sequence[Mistake]
    mistake_count: int
    mix_ups: tuple[PicturedMixUp, ...]
    pictures: bool
    findings: tuple[Noticed, ...]
    settings: tuple[tuple[str, str], ...]
    tools: tuple[tuple[str, str], ...]
    seconds: tuple[tuple[str, float], ...]
    learning_curve: LearningCurve | None = None
    scores: ScoreFacts | None = None
    novelty: NoveltyReport | None = None
    max_softmax: float | None = None
    balance: BalanceEffect | None = None
    compared: tuple[Compared, ...] = ()
    precision: str = ""
    requirements: tuple[str, ...] = ()
    named_test: NamedTest | None = None
    uneven_split: str = ""

    @property
    def group_by(self) -> str | None:
        """What `--group-by` was, None if it was not given."""
        return dict(self.settings).get("group-by")

    @property
    def measured(self) -> Evaluation | None:
        """The headline numbers: of the test split, else cross-validated."""
        return self.test or self.cross_validated

    @property
    def headline(self) -> Headline:
        """The accuracies that are told first."""
        test, beside = (
            Measurement(one.n, one.accuracy, one.accuracy_interval) if one else None
            for one in (self.test, self.cross_validated)
        )
        return Headline(
            test,
            beside,
            folds=Measurement(self.folds.pooled[0].n, self.folds.accuracy.mean, self.folds.accuracy.interval)
            if self.folds
            else None,
            fold_count=self.folds.folds if self.folds else 0,
        )
