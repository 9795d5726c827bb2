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
from trainer.errors import BadData, LabelNotInTrain, TooManyMissing, TooManyUnusable
from trainer.featurize import Features
from trainer.findings import Finding, sort_findings
from trainer.intake import read_told
from trainer.label_audit import LabelAudit, audit_labels, count_steps
from trainer.likeness_telling import compare_pictures
from trainer.locations import last_name
from trainer.manifest import Manifest
from trainer.manifest_findings import find_in_manifest, tell_obstacle
from trainer.near_duplicates import Likeness
from trainer.progress import Progress
from trainer.run_backbone import open_backbone
from trainer.samples import PassedOver
from trainer.settings import AuditSettings
from trainer.training import Training, arrange, require_learnable
from trainer.unusable import refuse_too_many

_EVERYTHING_TO_TRAIN = (1.0, 0.0, 0.0)


def audit_data(settings: AuditSettings, progress: Progress | None = None) -> DataAudit:
    """Read, featurise and look; what would end a training is a finding like any other.

    Raises:
        BadData: there are no pictures or no labels, so nothing can be said.
        UsageError: a setting cannot be carried out.
    """
    progress = progress or Progress()
    manifest = read_told(settings, progress, max_missing=1.0, group_by=settings.group_by, rehash=settings.rehash)
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
    obstacles = map(tell_obstacle, _obstacles(manifest, audit, unreadable, settings))
    findings, notes = _find(audit, unreadable, features, settings, progress)
    return DataAudit(
        data=last_name(settings.data),
        labels_from=manifest.labels_from,
        backbone=entry.name,
        pictures=len(manifest.samples) + len(manifest.unreadable),
        usable=len(usable.samples),
        counts=_count(audit.manifest),
        findings=sort_findings((*obstacles, *findings)),
        notes=notes,
    )


def _find(
    audit: Audit,
    unreadable: Sequence[PassedOver],
    features: Features,
    settings: AuditSettings,
    progress: Progress,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Findings, and notes on what could not be looked at; `features` has a row for each audited sample."""
    if not audit.manifest.samples:
        return find_in_manifest(audit, unreadable), ()
    likeness = compare_pictures(audit.manifest, features.statistics, progress)
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
            training.features,
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
    manifest: Manifest, audit: Audit, unreadable: Sequence[PassedOver], settings: AuditSettings
) -> Iterator[BadData]:
    """Every error that would end a training on these pictures."""
    rows = len(manifest.samples) + len(manifest.unreadable) + len(manifest.missing)
    if len(manifest.missing) > settings.max_bad * rows:
        yield TooManyMissing(Path(shown(settings.data)), manifest.missing, rows=rows, max_missing=settings.max_bad)
    try:
        total = len(manifest.samples) + len(manifest.unreadable) - len(audit.conflicting)
        refuse_too_many(unreadable, total=total, max_bad=settings.max_bad)
    except TooManyUnusable as error:
        yield error
    found = find_obstacles(audit, max_conflicting=settings.max_bad)
    yield from (one for one in found if not isinstance(one, LabelNotInTrain))  # told where groups are known


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
