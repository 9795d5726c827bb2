"""The `train` verb, told once: from a folder of labelled pictures to a published bundle."""

from dataclasses import dataclass
from typing import Any

from shared.bundle import Bundle
from trainer.backbones import BackboneEntry, Weights, build_backbone, choose_backbone, find_weights
from trainer.bundle_files import Run, headline_metrics
from trainer.counting import counted
from trainer.data_findings import find_in_data, tell_worth_a_look
from trainer.differences import Differences
from trainer.featurize import Features, featurize
from trainer.gates import check_accuracy
from trainer.golden_pictures import make_golden
from trainer.graph import attach_head, backbone_graph
from trainer.intake import leave_out_unreadable, read_audited
from trainer.label_audit import judge_measured
from trainer.likeness_telling import tell_likeness
from trainer.live_metrics import OnMetrics
from trainer.manifest import Manifest
from trainer.moves import tell_moves
from trainer.near_duplicates import find_near_duplicates
from trainer.parity import prove_parity
from trainer.progress import Progress
from trainer.publishing import publish_run, require_writable
from trainer.replay import Earlier, read_earlier
from trainer.run_record import Timings
from trainer.settings import TrainSettings
from trainer.training import arrange, final_fit, measure, require_learnable, targets_of


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        bundle: the current one: published by this run, unless `unchanged`.
        unchanged: whether the run made what was current already, and so published nothing.
        metrics: the headline numbers.
        featurized, from_cache: how many pictures were computed, and found in the cache.
        differences: from the run that was repeated; None where none was.
    """

    bundle: Bundle
    unchanged: bool
    metrics: dict[str, Any]
    featurized: int
    from_cache: int
    differences: Differences | None = None

    def as_json(self) -> dict[str, Any]:
        """What `train --json` prints."""
        return {
            "bundle": str(self.bundle.path),
            "version": self.bundle.version,
            "unchanged": self.unchanged,
            "featurized": self.featurized,
            "from_cache": self.from_cache,
            "metrics": self.metrics,
        } | ({"differences": self.differences.as_json()} if self.differences else {})


def train(
    settings: TrainSettings, progress: Progress | None = None, *, on_metrics: OnMetrics | None = None
) -> TrainResult:
    """Read, featurise, split, fit, measure, fit again on everything, and publish what is new.

    Args:
        settings: of the verb.
        progress: how the work is shown; by default on stderr. `Quiet()` shows nothing.
        on_metrics: called for every picture that is featurised and every step of the head.

    Raises:
        BadData: what was found cannot be learned from.
        UsageError: a setting cannot be carried out, e.g. weights that are not to be had.
        GateFailed: a check before publishing failed; nothing was published.
    """
    progress = progress or Progress()
    timings = Timings()
    earlier = read_earlier(settings.from_) if settings.from_ else None
    settings = earlier.settings(settings) if earlier else settings
    require_writable(settings.models_dir)
    progress.say(f"Training the model {settings.model_name!r}.", model=settings.model_name)
    with timings.measure("read"):
        audit = read_audited(settings, progress)
    with timings.measure("export"):
        entry, weights, reason = _choose(settings, progress, earlier)
        graph = backbone_graph(entry, weights, entry.spec, settings.cache_dir, progress=progress)
    with timings.measure("featurize"):
        features = _featurize(audit.manifest, entry, weights, graph, settings, progress, on_metrics)
        audit = leave_out_unreadable(audit, features, max_bad=settings.max_bad, progress=progress)
    with timings.measure("fit"):
        likeness = find_near_duplicates(features.statistics, targets_of(audit.manifest))
        training = arrange(
            audit.manifest, features.values, alike=likeness.groups, shares=settings.split, seed=settings.seed
        )
        tell_likeness(likeness, audit.manifest.samples, training, progress)
        require_learnable(training)
        model_folder = settings.models_dir / settings.model_name
        tell_moves(training, model=model_folder, seed=settings.seed, shares=settings.split, progress=progress)
        measured = measure(
            training,
            seed=settings.seed,
            threads=settings.thread_count,
            folds=settings.folds,
            progress=progress,
            on_metrics=on_metrics,
        )
        if measured.fit.note:
            progress.warn(measured.fit.note)
        check_accuracy(measured, settings.min_accuracy)
        final = final_fit(training, measured, settings.final_fit, seed=settings.seed, threads=settings.thread_count)
    with timings.measure("audit"):
        unreadable = (*audit.manifest.unreadable, *features.unreadable)
        judged = judge_measured(training, measured)
        findings = find_in_data(audit, unreadable, features.statistics, likeness, training, judged)
        tell_worth_a_look(findings, progress)
    model = attach_head(graph, final.head, labels=training.labels, spec=entry.spec)
    golden = make_golden(model, training.samples, entry.spec, keep_pictures=settings.pictures)
    with timings.measure("parity"), progress.phase("compare with torch"):
        prove_parity(build_backbone(entry, weights), graph, entry.spec, images=golden.images, head=final.head)
    run = Run(
        settings=settings,
        manifest=audit.manifest,
        findings=findings,
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
    published = publish_run(run, progress)
    return TrainResult(
        bundle=published.bundle,
        unchanged=published.unchanged,
        metrics=headline_metrics(run),
        featurized=features.featurized,
        from_cache=features.from_cache,
        differences=earlier.compare(published.bundle, published.made, training.samples) if earlier else None,
    )


def _choose(settings: TrainSettings, progress: Progress, earlier: Earlier | None) -> tuple[BackboneEntry, Weights, str]:
    if earlier is not None and settings.weights is None and settings.backbone == earlier.backbone:
        progress.say(f"Backbone: {earlier.reason}", backbone=earlier.backbone)
        return *earlier.find_weights(settings.weights_url), earlier.reason
    entry, reason = choose_backbone(settings.backbone, settings.weights, no_nano=not settings.nano)
    progress.say(f"Backbone: {reason}", backbone=entry.name)
    download = settings.backbone is not None
    weights = find_weights(entry, settings.weights, download=download, weights_url=settings.weights_url)
    return entry, weights, reason


def _featurize(
    manifest: Manifest,
    entry: BackboneEntry,
    weights: Weights,
    graph: bytes,
    settings: TrainSettings,
    progress: Progress,
    on_metrics: OnMetrics | None,
) -> Features:
    features = featurize(
        manifest.samples,
        graph,
        entry.spec,
        cache_dir=settings.cache_dir,
        backbone=entry.name,
        engine=settings.engine,
        module=lambda: build_backbone(entry, weights),
        provider=settings.provider,
        threads=settings.thread_count,
        progress=progress,
        on_metrics=on_metrics,
    )
    progress.say(
        f"Featurised {counted(features.featurized, 'picture')}, {features.from_cache:,} came from the cache.",
        featurized=features.featurized,
        from_cache=features.from_cache,
    )
    return features
