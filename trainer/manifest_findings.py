"""What the file audit found, as findings: what stops training, what is left out, and copies of one picture."""

from collections.abc import Iterator, Sequence

from trainer.audit import Audit
from trainer.errors import BadData
from trainer.errors.audit import ClassTooSmall, ConflictingLabels, LabelNotInTrain, SingleClass, TooManyUnusable
from trainer.errors.manifest import TooManyMissing
from trainer.finding_words import tell
from trainer.findings import Finding, Kind, Mention, Severity
from trainer.samples import PassedOver, Sample, Twin

_OBSTACLES: dict[type[BadData], tuple[Kind, str]] = {
    TooManyUnusable: (Kind.TOO_MANY_UNUSABLE, "Too many unreadable pictures"),
    TooManyMissing: (Kind.TOO_MANY_MISSING, "Too many missing files"),
    ConflictingLabels: (Kind.TOO_MANY_CONFLICTS, "Too many pictures under two labels"),
    SingleClass: (Kind.SINGLE_CLASS, "Fewer than two labels"),
    ClassTooSmall: (Kind.CLASS_TOO_SMALL, "Labels with too few pictures to learn"),
    LabelNotInTrain: (Kind.LABEL_NOT_IN_TRAIN, "Labels that are only held out"),
}


def find_in_manifest(audit: Audit, unreadable: Sequence[PassedOver]) -> tuple[Finding, ...]:
    """What is left out and what is there twice. `unreadable` are all of them, whenever that was noticed."""
    manifest = audit.manifest
    return (
        *tell(Kind.UNREADABLE, map(_with_reason, unreadable)),
        *tell(Kind.CONFLICTING, _largest_first(audit.conflicts)),
        *tell(Kind.MISSING, (Mention((name,)) for name in manifest.missing)),
        *tell(Kind.EXACT_DUPLICATES, _largest_first(audit.copies)),
        *tell(Kind.IN_TEST_SET, map(_twin, manifest.test.twins if manifest.test else ())),
        *tell(Kind.EMPTY_FOLDERS, (Mention((name,)) for name in manifest.empty_folders)),
        *tell(Kind.PASSED_OVER, map(_with_reason, manifest.passed_over)),
    )


def tell_obstacle(error: BadData) -> Finding:
    """An error that would end a training, as a finding: the other findings can then be told as well."""
    kind, title = _OBSTACLES[type(error)]
    return Finding(kind, Severity.STOPS, title, str(error))


def mention_set(samples: Sequence[Sample], detail: str = "", figure: float | None = None) -> Mention:
    """Samples that belong together, by name."""
    by_name = sorted(samples, key=lambda sample: sample.name)
    return Mention(tuple(one.name for one in by_name), detail, figure, labels=tuple(one.label for one in by_name))


def _with_reason(one: PassedOver) -> Mention:
    return Mention((one.name,), one.reason)


def _twin(twin: Twin) -> Mention:
    return Mention((twin.sample.name,), twin.text, labels=(twin.sample.label,))


def _largest_first(sets: Sequence[Sequence[Sample]]) -> Iterator[Mention]:
    mentions = (mention_set(samples, figure=float(len(samples))) for samples in sets)
    yield from sorted(mentions, key=lambda one: (-len(one.names), one.names))
