"""The audit of the manifest, before any picture is decoded: what contradicts itself and what is too little.

Unreadable pictures are found where they are decoded, in featurize; afterwards the audit is asked again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.files import sha256_of
from trainer.errors import BadData
from trainer.errors.audit import ClassTooSmall, ConflictingLabels, LabelNotInTrain, SingleClass
from trainer.manifest import Manifest, Sample

_PICTURES_PER_CLASS = 2  # one to learn from, one to test with
_OF_AN_EMPTY_FILE = sha256_of(b"")


@dataclass(frozen=True)
class Audit:
    """What was found, and what can be learned from.

    Attributes:
        manifest: without the conflicting samples.
        conflicts: sets of samples with the same bytes under different labels; they were dropped.
        copies: sets of two or more samples with the same bytes and label; they were kept.
        class_counts: samples per label, in the order of the labels.
    """

    manifest: Manifest
    conflicts: tuple[tuple[Sample, ...], ...]
    copies: tuple[tuple[Sample, ...], ...]
    class_counts: dict[str, int]

    @property
    def conflicting(self) -> tuple[str, ...]:
        """Names of the dropped samples, sorted."""
        return tuple(sorted(sample.name for samples in self.conflicts for sample in samples))


def audit_manifest(manifest: Manifest, *, max_conflicting: float = 0.1) -> Audit:
    """Drop what contradicts itself, count duplicates, and refuse what nothing can be learned from.

    Args:
        manifest: as it was read.
        max_conflicting: the fraction of samples that may be dropped for conflicting labels.

    Raises:
        SingleClass: there are not two labels to tell apart.
        ConflictingLabels: more samples conflict than may.
        ClassTooSmall: a label has fewer than two different pictures.
        LabelNotInTrain: the data holds out every picture of a label, or a copy of each.
    """
    audit = examine_manifest(manifest)
    for obstacle in find_obstacles(audit, max_conflicting=max_conflicting):
        raise obstacle
    return audit


def examine_manifest(manifest: Manifest) -> Audit:
    """Drop what contradicts itself and count duplicates, whether anything can be learned from the rest or not.

    A named test set is looked at by itself: what it shares with the rest is for `twins` to tell.
    """
    parts = [[one for one in manifest.samples if manifest.is_test(one.name) == part] for part in manifest.parts]
    together = [tuple(same) for samples in parts for same in _copies_in(samples).values()]
    conflicts = tuple(samples for samples in together if _conflict(samples))
    kept = manifest.without([sample.name for samples in conflicts for sample in samples])
    return Audit(
        manifest=kept,
        conflicts=conflicts,
        copies=tuple(samples for samples in together if not _conflict(samples)),
        class_counts=dict(sorted(Counter(sample.label for sample in kept.samples).items())),
    )


def find_obstacles(audit: Audit, *, max_conflicting: float = 0.1) -> tuple[BadData, ...]:
    """All that makes learning from the audited samples impossible, as the errors that `audit_manifest` raises."""
    kept = audit.manifest
    obstacles: list[BadData] = list(_too_many_conflicts(audit, max_conflicting))
    if len(kept.labels) < 2:
        return (*obstacles, SingleClass(kept.labels, labels_from=kept.labels_from))
    to_learn = [sample for sample in kept.samples if not kept.is_test(sample.name)]
    different = Counter(label for label, _ in {(sample.label, sample.digest) for sample in to_learn})
    small = {label: different[label] for label in kept.labels if different[label] < _PICTURES_PER_CLASS}
    if small:
        obstacles.append(ClassTooSmall(small, at_least=_PICTURES_PER_CLASS))
    held_out_digests = {sample.digest for sample in kept.samples if sample.split in ("validation", "test")}
    learned = {sample.label for sample in kept.samples if sample.digest not in held_out_digests}
    if held_out := [label for label in kept.labels if label not in learned and label not in small]:
        obstacles.append(LabelNotInTrain(held_out))
    return tuple(obstacles)


def _too_many_conflicts(audit: Audit, max_conflicting: float) -> Iterator[ConflictingLabels]:
    """Of the pictures to learn from, and of a named test set."""
    kept = audit.manifest
    for part in kept.parts:
        dropped = [name for name in audit.conflicting if kept.is_test(name) == part]
        total = sum(kept.is_test(sample.name) == part for sample in kept.samples) + len(dropped)
        if len(dropped) > max_conflicting * total:
            yield ConflictingLabels(dropped, total=total, max_conflicting=max_conflicting)


def _copies_in(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples whose bytes others have too."""
    times = Counter(sample.digest for sample in samples)
    times.pop(_OF_AN_EMPTY_FILE, None)  # empty files are alike, but no picture; featurize names them
    together: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if times[sample.digest] > 1:
            together[sample.digest].append(sample)
    return together


def _conflict(samples: Sequence[Sample]) -> bool:
    return len({sample.label for sample in samples}) > 1
