"""The `train` verb, told once: from a folder of labelled pictures to a published bundle."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from shared.bundle import Bundle
from shared.golden import Golden
from trainer.backbone_choice import BackboneChoice, settle_backbone, with_reason
from trainer.bundle_files import Run, headline_metrics
from trainer.counting import counted
from trainer.differences import Differences
from trainer.evidence import learn_evidence
from trainer.feature_tally import FeatureTally
from trainer.features_in import belong_on_disk, refuse_comparing_backbones, settled_on_disk
from trainer.final_fit import rows_of_final
from trainer.findings import Finding
from trainer.golden_pictures import make_golden
from trainer.intake import leave_out_unreadable, read_audited
from trainer.learned_novelty import LearnedNovelty, learn_novelty
from trainer.learning import Learned, find_usable, learn, look_through
from trainer.live_metrics import OnMetrics
from trainer.manifest import Manifest
from trainer.mlnet_options import with_mlnet_options
from trainer.named_test import settle_shares
from trainer.not_worse import read_comparable
from trainer.parity import prove_parity_with, tell_difference
from trainer.precision import recorded_choice
from trainer.progress import Progress
from trainer.publishing import publish_run, require_writable
from trainer.replay import read_earlier
from trainer.rows_on_disk import RowsOnDisk
from trainer.run_backbone import RunBackbone, open_backbone
from trainer.run_record import Timings
from trainer.served_graph import attach_head
from trainer.settings import TrainSettings
from trainer.torch_ahead import torch_ahead
from trainer.torch_features import known_torch_features


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        bundle: the current one: published by this run, unless `unchanged`.
        unchanged: whether the run made what was current already, and so published nothing.
        metrics: the headline numbers.
        tally: what was featurised, and found in the cache: of all kinds of features, views among them.
        differences: from the run that was repeated; None where none was.
    """

    bundle: Bundle
    unchanged: bool
    metrics: dict[str, Any]
    tally: FeatureTally
    differences: Differences | None = None

    @property
    def featurized(self) -> int:
        """Different pictures of which any features were computed, be it only of a view."""
        return self.tally.featurized

    @property
    def from_cache(self) -> int:
        """Different pictures all of whose features were there."""
        return self.tally.from_cache

    def as_json(self) -> dict[str, Any]:
        """What `train --json` prints."""
        return {
            "bundle": str(self.bundle.path),
            "version": self.bundle.version,
            "unchanged": self.unchanged,
            **self.tally.as_json(),
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
    progress, timings, tally = progress or Progress(), Timings(), FeatureTally()
    settings = with_mlnet_options(settings, progress)
    earlier = read_earlier(settings.from_) if settings.from_ else None
    settings = settle_shares(earlier.settings(settings) if earlier else settings)
    require_writable(settings.models_dir)
    if settings.not_worse:
        read_comparable(settings.models_dir / settings.model_name)  # refused now rather than after an hour of work
    progress.say(f"Training the model {settings.model_name!r}.", model=settings.model_name)
    with timings.measure("read"):
        audit = read_audited(settings, progress)
    with torch_ahead():
        with timings.measure("export"):
            refuse_comparing_backbones(settings, len(audit.manifest.samples), progress)
            settings, picked = settle_backbone(settings, audit, progress, tally=tally)
            because = picked.reason if picked else None
            opened = open_backbone(settings, progress, earlier=earlier, tally=tally, because=because)
            backbone = with_reason(opened, picked)
        with timings.measure("featurize"):
            samples = audit.manifest.samples
            on_disk = partial(belong_on_disk, settings, len(samples), progress=progress)
            features = backbone.featurize(
                samples, settings, progress, engine=settings.engine, on_metrics=on_metrics, on_disk=on_disk
            )
            settings = settled_on_disk(settings) if isinstance(features.rows, RowsOnDisk) else settings
            audit = leave_out_unreadable(audit, features, max_bad=settings.max_bad, progress=progress)
        with timings.measure("fit"):
            recorded = recorded_choice(earlier.bundle.metadata) if earlier else None
            usable = find_usable(audit, features, progress)
            learned = learn(usable, backbone, settings, progress, on_metrics, recorded=recorded)
            _tell_renderings(tally, progress)
        with timings.measure("audit"):
            findings = look_through(usable, learned, progress)
        run = _attach(settings, usable.audit.manifest, backbone, picked, learned, findings, timings, progress)
        published = publish_run(run, progress)
    return TrainResult(
        bundle=published.bundle,
        unchanged=published.unchanged,
        metrics=headline_metrics(run),
        tally=tally,
        differences=earlier.compare(published.bundle, published.made, run.training.samples) if earlier else None,
    )


def _tell_renderings(tally: FeatureTally, progress: Progress) -> None:
    """What was looked at besides a row for each picture: views, other kinds of features, int8."""
    if tally.went_beyond_pictures:
        progress.say(
            f"With views and all kinds of features: {counted(tally.renderings_featurized, 'rendering')} featurised, "
            f"{tally.renderings_from_cache:,} came from the cache.",
            **tally.as_json(),
        )


def _attach(
    settings: TrainSettings,
    manifest: Manifest,
    backbone: RunBackbone,
    picked: BackboneChoice | None,
    learned: Learned,
    findings: tuple[Finding, ...],
    timings: Timings,
    progress: Progress,
) -> Run:
    """The run with its served graph, which answers as torch does: backbone and head in one."""
    entry, training, final, choice = backbone.entry, learned.training, learned.final, learned.recipe.features
    graph = learned.library.graph_of(choice)
    with timings.measure("novelty"), progress.phase("learn what is familiar"):
        novelty = _learn_novelty(learned, settings)
    evidence = learn_evidence(graph, final.head)
    model = attach_head(
        graph,
        final.head,
        labels=training.labels,
        spec=choice.spec,
        temperature=final.temperature,
        novelty=novelty.served,
        exposed=evidence.exposed,
    )
    golden = make_golden(model, training.samples, choice.spec, keep_pictures=settings.pictures)
    with timings.measure("parity"), progress.phase("compare with torch"):
        _prove_parity(learned, graph, golden, entry.name, settings, progress)
    return Run(
        settings=settings,
        manifest=manifest,
        findings=findings,
        entry=entry,
        weights=backbone.weights,
        backbone_reason=backbone.reason,
        picked=picked,
        choice=choice,
        precision=learned.precision,
        graph=graph,
        model=model,
        golden=golden,
        training=training,
        measured=learned.measured,
        final=final,
        novelty=novelty,
        evidence=evidence,
        tally=backbone.tally,
        timings=timings,
        compared=learned.compared,
    )


def _prove_parity(
    learned: Learned, graph: bytes, golden: Golden, backbone: str, settings: TrainSettings, progress: Progress
) -> None:
    """The graph gives torch's features, and the same labels, on the golden pixels.

    An int8 graph is the float32 one with coarser numbers: the latter is proven, and what the former differs by is said.
    """
    head, library, is_int8 = learned.final.head, learned.library, learned.recipe.features.precision == "int8"
    choice = replace(learned.recipe.features, precision="float32")
    proven = library.graph_of(choice) if is_int8 else graph
    expected = known_torch_features(
        lambda: library.module_of(choice),
        proven,
        choice.spec,
        golden.images,
        feature_size=len(head.mean),
        cache_dir=settings.cache_dir,
        backbone=backbone,
    )
    prove_parity_with(expected, proven, golden.images, head=None if is_int8 else head)
    if is_int8:
        tell_difference(expected, graph, golden.images, progress)


def _learn_novelty(learned: Learned, settings: TrainSettings) -> LearnedNovelty:
    """From the rows that the published head was fitted on."""
    rows = rows_of_final(learned.training, learned.measured, learned.final)
    return learn_novelty(learned.training, rows, unfamiliar=settings.unfamiliar, seed=settings.seed)
