"""The `audit` verb, told once: everything that can be said about labelled pictures before one trains on them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from shared.addresses import shown
from trainer.audit import Audit, examine_manifest, find_obstacles
from trainer.backbones import BackboneEntry
from trainer.data_audit import AuditedLabel, DataAudit
from trainer.data_findings import find_in_data
from trainer.errors import BadData
from trainer.errors.audit import ConflictingLabels, LabelNotInTrain, TooManyUnusable
from trainer.errors.manifest import TooManyMissing
from trainer.featurize import Features
from trainer.findings import Finding, sort_findings
from trainer.intake import read_told
from trainer.label_audit import LabelAudit, audit_labels, count_steps
from trainer.likeness_telling import compare_pictures
from trainer.locations import last_name
from trainer.manifest import Manifest
from trainer.manifest_findings import find_in_manifest, tell_obstacle
from trainer.named_test import with_test_set
from trainer.near_duplicates import Likeness
from trainer.progress import Progress, Quiet
from trainer.run_backbone import open_backbone
from trainer.samples import PassedOver
from trainer.settings import AuditSettings
from trainer.training import Training, arrange, require_learnable
from trainer.twins import Usable, keep_apart
from trainer.unusable import refuse_too_many_of_each

_EVERYTHING_TO_TRAIN = (1.0, 0.0, 0.0)


def audit_data(settings: AuditSettings, progress: Progress | None = None) -> DataAudit:
    """Read, featurise and look; what would end a training is a finding like any other.

    Raises:
        BadData: there are no pictures or no labels, so nothing can be said.
        UsageError: a setting cannot be carried out.
    """
    progress = progress or Progress()
    manifest = read_told(settings, progress, max_missing=1.0, group_by=settings.group_by, rehash=settings.rehash)
    manifest = with_test_set(manifest, settings, progress)
    backbone = open_backbone(settings, progress)
    features = backbone.featurize(examine_manifest(manifest).manifest.samples, settings, progress)
    return _look(manifest, backbone.entry, features, settings, progress)


def _look(
    manifest: Manifest, entry: BackboneEntry, features: Features, settings: AuditSettings, progress: Progress
) -> DataAudit:
    unreadable = (*manifest.unreadable, *features.unreadable)
    examined = examine_manifest(manifest)
    usable = examined.manifest.of_rows(features.readable)
    audit = replace(examine_manifest(usable), conflicts=examined.conflicts)
    left = _compare(audit, features, progress)
    obstacles = map(tell_obstacle, _obstacles(manifest, audit, left, unreadable, settings))
    findings, notes = _find(left, unreadable, settings, progress)
    return DataAudit(
        data=last_name(settings.data),
        labels_from=manifest.labels_from,
        backbone=entry.name,
        pictures=len(manifest.samples) + len(manifest.unreadable),
        usable=len(usable.samples),
        counts=_count(left.audit.manifest),
        findings=sort_findings((*obstacles, *findings)),
        notes=notes,
    )


def _compare(audit: Audit, features: Features, progress: Progress) -> Usable:
    """What is learned from and tested on, with what is alike; `features` has a row for each audited sample."""
    if not audit.manifest.samples:
        return Usable(audit, features, Likeness((), threshold=1.0, groups=(), oversized=(), note=None))
    likeness = compare_pictures(audit.manifest, features.statistics, progress)
    return keep_apart(
        Usable(audit, features, likeness), Quiet(), must_learn=False
    )  # a finding names what it leaves out


def _find(
    left: Usable, unreadable: Sequence[PassedOver], settings: AuditSettings, progress: Progress
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Findings, and notes on what could not be looked at."""
    audit, features, likeness = left.audit, left.features, left.likeness
    if not audit.manifest.samples:
        return find_in_manifest(audit, unreadable), ()
    training = arrange(
        audit.manifest, features.values, alike=likeness.groups, shares=_EVERYTHING_TO_TRAIN, seed=settings.seed
    )
    judged = _judge_labels(training, settings, progress)
    with progress.phase("look through pictures"):
        findings = find_in_data(audit, unreadable, features.statistics, likeness, training, judged)
    return (*_held_out(training), *findings), _notes(judged, likeness)


def _judge_labels(training: Training, settings: AuditSettings, progress: Progress) -> LabelAudit:
    with progress.phase("judge labels", total=count_steps()) as phase:
        return audit_labels(
            training.values,
            training.targets,
            training.groups,
            seed=settings.seed,
            threads=settings.thread_count,
            on_steps=phase.advance,
        )


def _held_out(training: Training) -> tuple[Finding, ...]:
    """The labels that would be tested without having been learned; groups may hold out more than copies do."""
    if len(np.unique(training.targets)) < len(training.labels):  # a label without pictures is another finding
        return ()
    try:
        require_learnable(training)
    except LabelNotInTrain as error:
        return (tell_obstacle(error),)
    return ()


def _notes(judged: LabelAudit, likeness: Likeness) -> tuple[str, ...]:
    not_judged = f"Labels were not judged: {judged.note}." if judged.note else ""
    not_compared = f"{likeness.note}." if likeness.note else ""
    return tuple(note for note in (not_judged, not_compared) if note)


def _obstacles(
    manifest: Manifest, audit: Audit, left: Usable, unreadable: Sequence[PassedOver], settings: AuditSettings
) -> Iterator[BadData]:
    """Every error that would end a training on these pictures."""
    yield from _too_many_missing(manifest, settings)
    try:
        refuse_too_many_of_each(manifest.without(audit.conflicting), unreadable, max_bad=settings.max_bad)
    except TooManyUnusable as error:
        yield error
    conflicts = find_obstacles(audit, max_conflicting=settings.max_bad)
    yield from (one for one in conflicts if isinstance(one, ConflictingLabels))
    others = find_obstacles(left.audit, max_conflicting=1.0)
    yield from (one for one in others if not isinstance(one, LabelNotInTrain))  # told where groups are known


def _too_many_missing(manifest: Manifest, settings: AuditSettings) -> Iterator[TooManyMissing]:
    """Of the table of the data, and of that of a named test set."""
    files = [sample.name for sample in manifest.samples] + [one.name for one in manifest.unreadable]
    for part, data in zip(manifest.parts, (settings.data, settings.test or ""), strict=False):
        missing = [name for name in manifest.missing if manifest.is_test(name) == part]
        rows = sum(manifest.is_test(name) == part for name in files) + len(missing)
        if len(missing) > settings.max_bad * rows:
            yield TooManyMissing(Path(shown(data)), missing, rows=rows, max_missing=settings.max_bad)


def _count(manifest: Manifest) -> tuple[AuditedLabel, ...]:
    """The most frequent label first."""
    given = {label: Counter[str]() for label in manifest.labels}
    sizes = Counter(sample.label for sample in manifest.samples)
    for sample in manifest.samples:
        if sample.split:
            given[sample.label][sample.split] += 1
    return tuple(
        AuditedLabel(label, sizes[label], given[label]) for label in sorted(given, key=lambda one: (-sizes[one], one))
    )
