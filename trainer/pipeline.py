"""The `train` verb, told once: from a folder of labelled pictures to a published bundle."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.bundle import Bundle, read_metadata
from shared.errors import BundleError
from shared.publish import publish, resolve, seal, staging_folder
from trainer.audit import Audit, audit_manifest
from trainer.backbones import BackboneEntry, Weights, build_backbone, choose_backbone, find_weights
from trainer.bundle_files import Run, headline_metrics, metadata_fields, write_bundle_files
from trainer.errors import ModelsDirNotWritable
from trainer.featurize import Features, featurize
from trainer.gates import check_accuracy, check_bundle
from trainer.golden_pictures import make_golden
from trainer.graph import attach_head, backbone_graph
from trainer.manifest import Manifest, PassedOver, read_manifest
from trainer.parity import prove_parity
from trainer.progress import Progress
from trainer.report import write_report
from trainer.report_facts import report_facts
from trainer.run_record import Timings
from trainer.settings import TrainSettings
from trainer.split import find_moved, find_overruled
from trainer.split_file import read_split_file
from trainer.telling import name_each
from trainer.training import Training, arrange, final_fit, measure
from trainer.unusable import refuse_too_many


@dataclass(frozen=True)
class TrainResult:
    """A finished run: the published bundle, its headline numbers, and how many pictures were computed and found."""

    bundle: Bundle
    metrics: dict[str, Any]
    featurized: int
    from_cache: int

    def as_json(self) -> dict[str, Any]:
        """What `train --json` prints."""
        return {
            "bundle": str(self.bundle.path),
            "version": self.bundle.version,
            "featurized": self.featurized,
            "from_cache": self.from_cache,
            "metrics": self.metrics,
        }


def train(settings: TrainSettings, progress: Progress | None = None) -> TrainResult:
    """Read, featurise, split, fit, measure, fit again on everything, and publish.

    Raises:
        BadData: what was found cannot be learned from.
        UsageError: a setting cannot be carried out, e.g. weights that are not to be had.
        GateFailed: a check before publishing failed; nothing was published.
    """
    progress = progress or Progress()
    timings = Timings()
    _require_writable(settings.models_dir)
    progress.say(f"Training the model {settings.model_name!r}.", model=settings.model_name)
    with timings.measure("read"):
        audit = _read(settings, progress)
    with timings.measure("export"):
        entry, weights, reason = _choose(settings, progress)
        graph = backbone_graph(entry, weights, entry.spec, settings.cache_dir, progress=progress)
    with timings.measure("featurize"):
        features = _featurize(audit.manifest, entry, weights, graph, settings, progress)
        audit, values = _leave_out(audit, features, settings, progress)
    with timings.measure("fit"):
        training = arrange(audit.manifest, values, shares=settings.split, seed=settings.seed)
        _tell_moves(training, settings, progress)
        measured = measure(training, seed=settings.seed, threads=settings.thread_count, folds=settings.folds)
        if measured.fit.note:
            progress.warn(measured.fit.note)
        check_accuracy(measured, settings.min_accuracy)
        final = final_fit(training, measured, settings.final_fit, seed=settings.seed, threads=settings.thread_count)
    model = attach_head(graph, final.head, labels=training.labels, spec=entry.spec)
    golden = make_golden(model, training.samples, entry.spec, keep_pictures=settings.pictures)
    with timings.measure("parity"):
        prove_parity(build_backbone(entry, weights), graph, entry.spec, images=golden.images, head=final.head)
    run = Run(
        settings=settings,
        manifest=audit.manifest,
        audit=audit,
        unreadable=(*audit.manifest.unreadable, *features.unreadable),
        entry=entry,
        weights=weights,
        backbone_reason=reason,
        graph=graph,
        model=model,
        golden=golden,
        training=training,
        measured=measured,
        final=final,
        featurized=features.featurized,
        from_cache=features.from_cache,
        timings=timings,
    )
    return TrainResult(_publish(run, progress), headline_metrics(run), features.featurized, features.from_cache)


def _require_writable(models_dir: Path) -> None:
    """Learn before an hour of work, not after it, that its result cannot be stored."""
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=models_dir):
            pass
    except OSError as error:
        raise ModelsDirNotWritable(models_dir, error.strerror or str(error)) from error


def _read(settings: TrainSettings, progress: Progress) -> Audit:
    manifest = read_manifest(
        settings.data,
        labels=settings.labels,
        cache_dir=settings.cache_dir,
        max_missing=settings.max_bad,
        rehash=settings.rehash,
        progress=progress,
    )
    progress.say(f"{len(manifest.samples)} pictures, {len(manifest.labels)} labels from {manifest.labels_from}.")
    name_each(progress, "passed over", [f"{one.name} ({one.reason})" for one in manifest.passed_over])
    name_each(progress, "listed but missing", manifest.missing)
    _name_unreadable(manifest.unreadable, progress)
    if manifest.unreadable:
        total = len(manifest.samples) + len(manifest.unreadable)
        refuse_too_many(manifest.unreadable, total=total, max_bad=settings.max_bad)
    audit = audit_manifest(manifest, max_conflicting=settings.max_bad)
    name_each(progress, "under more than one label, left out", audit.conflicting)
    return audit


def _choose(settings: TrainSettings, progress: Progress) -> tuple[BackboneEntry, Weights, str]:
    entry, reason = choose_backbone(settings.backbone, settings.weights, no_nano=not settings.nano)
    progress.say(f"Backbone: {reason}", backbone=entry.name)
    weights = find_weights(
        entry, settings.weights, download=settings.backbone is not None, weights_url=settings.weights_url
    )
    return entry, weights, reason


def _featurize(
    manifest: Manifest,
    entry: BackboneEntry,
    weights: Weights,
    graph: bytes,
    settings: TrainSettings,
    progress: Progress,
) -> Features:
    features = featurize(
        manifest.samples,
        graph,
        entry.spec,
        cache_dir=settings.cache_dir,
        engine=settings.engine,
        module=lambda: build_backbone(entry, weights),
        provider=settings.provider,
        threads=settings.thread_count,
        progress=progress,
    )
    progress.say(
        f"Featurised {features.featurized} pictures, {features.from_cache} came from the cache.",
        featurized=features.featurized,
        from_cache=features.from_cache,
    )
    return features


def _leave_out(
    audit: Audit, features: Features, settings: TrainSettings, progress: Progress
) -> tuple[Audit, NDArray[np.float32]]:
    """The audit asked again without the unreadable pictures; features in the order of its samples."""
    unreadable = (*audit.manifest.unreadable, *features.unreadable)
    total = len(audit.manifest.samples) + len(audit.manifest.unreadable)
    refuse_too_many(unreadable, total=total, max_bad=settings.max_bad)
    _name_unreadable(features.unreadable, progress)
    left = audit_manifest(audit.manifest.without([one.name for one in features.unreadable]), max_conflicting=1.0)
    return replace(left, conflicting=audit.conflicting), features.values


def _name_unreadable(unreadable: Sequence[PassedOver], progress: Progress) -> None:
    name_each(progress, "unreadable, left out", [f"{one.name}: {one.reason}" for one in unreadable])


def _tell_moves(training: Training, settings: TrainSettings, progress: Progress) -> None:
    """List the pictures whose split is not the given one, or not that of the current bundle."""
    overruled = find_overruled(training.samples, training.splits)
    name_each(progress, "held out more strictly than given, because a copy of them is", overruled)
    try:
        current = resolve(settings.models_dir / settings.model_name)
        split, before = read_metadata(current).split, read_split_file(current)
    except BundleError:  # there is no bundle yet, or it is damaged: nothing to compare with
        return
    if (split.seed, split.shares) != (settings.seed, settings.split):
        return  # another seed or other shares were asked for, and with them another split
    moved = find_moved(training.samples, training.splits, before)
    name_each(progress, "in another split than in the current bundle", moved)


def _publish(run: Run, progress: Progress) -> Bundle:
    settings = run.settings
    with staging_folder(settings.models_dir, settings.model_name) as folder:
        with run.timings.measure("write"):
            write_bundle_files(folder, run)
            write_report(folder, report_facts(run))
        seal(folder, metadata_fields(run))
        check_bundle(folder, progress)
        return publish(folder, settings.models_dir, keep_versions=settings.keep_versions)
