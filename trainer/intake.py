"""Intake: the labelled pictures are read and audited; what cannot be learned from is named and left out."""

from collections.abc import Sequence
from dataclasses import replace

from trainer.audit import Audit, audit_manifest
from trainer.counting import counted
from trainer.featurize import Features
from trainer.manifest import Manifest, PassedOver, read_manifest
from trainer.named_test import with_test_set
from trainer.progress import Progress
from trainer.settings import AuditSettings, EvaluateSettings, TrainSettings
from trainer.telling import name_each
from trainer.unusable import refuse_too_many_of_each


def read_told(
    settings: TrainSettings | AuditSettings | EvaluateSettings,
    progress: Progress,
    *,
    max_missing: float,
    group_by: str | None = None,
    rehash: bool = False,
    as_test: bool = False,
) -> Manifest:
    """The manifest of `settings.data`, of which is said how many pictures and labels it has; see `read_manifest`."""
    manifest = read_manifest(
        settings.data,
        labels=settings.labels,
        group_by=group_by,
        cache_dir=settings.cache_dir,
        max_missing=max_missing,
        rehash=rehash,
        as_test=as_test,
        progress=progress,
    )
    found = f"{counted(len(manifest.samples), 'picture')}, {counted(len(manifest.labels), 'label')}"
    progress.say(f"{found} from {manifest.labels_from}.")
    return manifest


def name_not_read(manifest: Manifest, progress: Progress) -> None:
    """Name the files that are no samples, those that a table lists and are not there, and labels without pictures."""
    without = "no picture, so a model of these pictures never answers that label"
    name_each(progress, f"with {without}", manifest.empty_folders, noun="label folder")
    name_each(progress, "passed over", [f"{one.name} ({one.reason})" for one in manifest.passed_over])
    name_each(progress, "listed but missing", manifest.missing)


def read_audited(settings: TrainSettings, progress: Progress) -> Audit:
    """The manifest of `settings.data`, with `settings.test`, and what was found in it, before any picture is decoded.

    Raises:
        BadData: there is nothing to learn from, or too much of it cannot be used.
    """
    manifest = read_told(
        settings, progress, max_missing=settings.max_bad, group_by=settings.group_by, rehash=settings.rehash
    )
    manifest = with_test_set(manifest, settings, progress)
    name_not_read(manifest, progress)
    _name_unreadable(manifest.unreadable, progress)
    if manifest.unreadable:
        refuse_too_many_of_each(manifest, manifest.unreadable, max_bad=settings.max_bad)
    audit = audit_manifest(manifest, max_conflicting=settings.max_bad)
    name_each(progress, "under more than one label, left out", audit.conflicting)
    return audit


def leave_out_unreadable(audit: Audit, features: Features, *, max_bad: float, progress: Progress) -> Audit:
    """The audit asked again without the pictures that could not be decoded; `features` has a row for each left.

    Raises:
        BadData: too many cannot be used, or what is left cannot be learned from.
    """
    unreadable = (*audit.manifest.unreadable, *features.unreadable)
    refuse_too_many_of_each(audit.manifest, unreadable, max_bad=max_bad)
    _name_unreadable(features.unreadable, progress)
    left = audit_manifest(audit.manifest.of_rows(features.readable), max_conflicting=1.0)
    return replace(left, conflicts=audit.conflicts)


def _name_unreadable(unreadable: Sequence[PassedOver], progress: Progress) -> None:
    """What is wrong with each; the advice that follows it is the same for all, and in the audit and the report."""
    reasons = [f"{one.name}: {one.reason.partition('. ')[0]}" for one in unreadable]
    name_each(progress, "unreadable, left out", reasons)
