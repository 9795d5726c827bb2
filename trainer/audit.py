"""The audit of the manifest, before any picture is decoded: what contradicts itself and what is too little.

Unreadable pictures are found where they are decoded, in featurize; afterwards the audit is asked again.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from shared.files import sha256_of
from trainer.errors import ClassTooSmall, ConflictingLabels, LabelNotInTrain, SingleClass
from trainer.manifest import Manifest, Sample

_PICTURES_PER_CLASS = 2  # one to learn from, one to test with
_OF_AN_EMPTY_FILE = sha256_of(b"")


@dataclass(frozen=True)
class Audit:
    """What was found, and what can be learned from.

    Attributes:
        manifest: without the conflicting samples.
        conflicting: names of samples that were dropped because the same bytes appear under another label.
        duplicates: names of samples with the same bytes and label, two or more together.
        class_counts: samples per label, in the order of the labels.
    """

    manifest: Manifest
    conflicting: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]
    class_counts: dict[str, int]


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
    together = _by_digest(manifest.samples)
    conflicting = tuple(
        sorted(one.name for samples in together.values() if _conflict(samples) for one in samples),
    )
    if len(conflicting) > max_conflicting * len(manifest.samples):
        raise ConflictingLabels(conflicting, total=len(manifest.samples), max_conflicting=max_conflicting)
    kept = manifest.without(conflicting)
    _require_enough(kept)
    duplicates = (samples for samples in together.values() if len(samples) > 1 and not _conflict(samples))
    return Audit(
        manifest=kept,
        conflicting=conflicting,
        duplicates=tuple(sorted(tuple(one.name for one in samples) for samples in duplicates)),
        class_counts=dict(sorted(Counter(sample.label for sample in kept.samples).items())),
    )


def _require_enough(kept: Manifest) -> None:
    """Refuse what is left if nothing can be learned from it."""
    if len(kept.labels) < 2:
        raise SingleClass(kept.labels, labels_from=kept.labels_from)
    different = Counter(label for label, _ in {(sample.label, sample.digest) for sample in kept.samples})
    small = {label: different[label] for label in kept.labels if different[label] < _PICTURES_PER_CLASS}
    if small:
        raise ClassTooSmall(small, at_least=_PICTURES_PER_CLASS)
    held_out_digests = {sample.digest for sample in kept.samples if sample.split in ("validation", "test")}
    learned = {sample.label for sample in kept.samples if sample.digest not in held_out_digests}
    if held_out := [label for label in kept.labels if label not in learned]:
        raise LabelNotInTrain(held_out)


def _by_digest(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    together: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.digest != _OF_AN_EMPTY_FILE:  # empty files are alike, but no picture; featurize names them
            together[sample.digest].append(sample)
    return together


def _conflict(samples: Sequence[Sample]) -> bool:
    return len({sample.label for sample in samples}) > 1
