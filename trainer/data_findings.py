"""All findings about a data set, gathered for whoever tells them: the audit verb, a training, its report."""

from collections.abc import Iterator, Sequence

from trainer.audit import Audit
from trainer.class_balance import find_imbalance
from trainer.finding_words import tell
from trainer.findings import Finding, Kind, Mention, Severity, names_in, of_severity, sort_findings
from trainer.label_audit import LabelAudit
from trainer.likeness_findings import find_across_splits, find_alike
from trainer.manifest_findings import find_in_manifest
from trainer.near_duplicates import Likeness
from trainer.odd_files import find_odd_files
from trainer.outliers import find_outliers
from trainer.picture_statistics import StatisticsTable
from trainer.poor_pictures import find_poor_pictures
from trainer.progress import Progress
from trainer.samples import PassedOver, Sample
from trainer.training import Training


def find_in_data(
    audit: Audit,
    unreadable: Sequence[PassedOver],
    statistics: StatisticsTable,
    likeness: Likeness,
    training: Training,
    judged: LabelAudit,
) -> tuple[Finding, ...]:
    """Everything that was found, what is worth a look before what was handled.

    Nobody looks twice: the label of a picture that shows nothing is not doubted, and a picture that shows little, or
    whose label is doubted, is not named again for being unlike the others.

    Args:
        audit: of the samples that are learned from.
        unreadable: the pictures that could not be read or decoded.
        statistics: a row for each of the audited samples.
        likeness: of the same rows.
        training: the same samples in canonical order, with features and groups.
        judged: their labels; its rows are those of `training`.
    """
    samples = audit.manifest.samples
    poor = find_poor_pictures(samples, statistics)
    unseen = names_in(finding for finding in poor if finding.kind in (Kind.DARK, Kind.UNIFORM))
    doubted = tell(
        Kind.LABEL_ERRORS,
        (one for one in doubted_labels(training.samples, training.labels, judged) if one.names[0] not in unseen),
        agreement=f"{100 * (judged.agreement or 0):.0f} %",
    )
    named = names_in((*poor, *doubted))
    return sort_findings(
        (
            *find_in_manifest(audit, unreadable),
            *find_odd_files(samples, statistics),
            *find_alike(samples, likeness),
            *find_across_splits(training.samples, training.groups),
            *poor,
            *doubted,
            *tell(Kind.OUTLIERS, (one for one in _outliers(training) if one.names[0] not in named)),
            *_imbalance(audit, training),
        )
    )


def tell_worth_a_look(findings: Sequence[Finding], progress: Progress) -> None:
    """A sentence about each kind of thing that a person should look at, but for those that were said before."""
    for finding in of_severity(findings, Severity.LOOK):
        if finding.kind not in (Kind.ALIKE_TWO_LABELS, Kind.ALIKE_TOO_MANY, Kind.EMPTY_FOLDERS):
            first = finding.mentions[0]
            the_first = f"{first.names[0]} ({first.detail})" if first.detail else first.names[0]
            progress.say(
                f"Worth a look: {_lower(finding.title)} ({finding.total}), first {the_first}; see the report.",
                kind=finding.kind,
                count=finding.total,
            )


def _imbalance(audit: Audit, training: Training) -> tuple[Finding, ...]:
    """Of what is learned from in the end: of all splits, but for a named test set."""
    rows = [row for row, sample in enumerate(training.samples) if not audit.manifest.is_test(sample.name)]
    return find_imbalance([training.samples[row] for row in rows], [training.groups[row] for row in rows])


def _lower(title: str) -> str:
    return title[0].lower() + title[1:]


def doubted_labels(samples: Sequence[Sample], labels: Sequence[str], judged: LabelAudit) -> Iterator[Mention]:
    """The likely wrong labels, in the order of the figure that is shown: the most probable other label first.

    Args:
        samples: the rows of `judged`.
        labels: by class index.
        judged: has them by margin, which nobody sees; where two show the same figure, that decides.
    """
    for error in sorted(judged.errors, key=lambda one: -one.confidence):
        sample, suggested = samples[error.row], labels[error.suggested]
        detail = f"labelled {sample.label}, looks like {suggested} ({100 * error.confidence:.0f} %)"
        yield Mention((sample.name,), detail, error.confidence, (sample.label,), suggested)


def _outliers(training: Training) -> Iterator[Mention]:
    for outlier in find_outliers(training.features, training.groups):
        sample = training.samples[outlier.row]
        yield Mention((sample.name,), f"{outlier.ratio:.1f} times as far as usual", outlier.ratio, (sample.label,))
