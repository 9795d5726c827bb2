"""The backbone of a run, as `train` and `audit` use it: chosen, its weights found, its graph exported."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer.backbones import BackboneEntry, Weights, build_backbone, choose_backbone, find_weights
from trainer.counting import counted
from trainer.featurize import Features, featurize
from trainer.graph import backbone_graph
from trainer.live_metrics import OnMetrics
from trainer.progress import Progress
from trainer.replay import Earlier
from trainer.samples import Sample
from trainer.settings import AuditSettings, TrainSettings


@dataclass(frozen=True)
class RunBackbone:
    """Ready to featurise.

    Attributes:
        entry: of the catalogue.
        weights: its weights.
        reason: why this one, a sentence.
        graph: the exported network, ONNX.
    """

    entry: BackboneEntry
    weights: Weights
    reason: str
    graph: bytes

    def featurize(
        self,
        samples: Sequence[Sample],
        settings: TrainSettings | AuditSettings,
        progress: Progress,
        *,
        engine: Literal["onnxruntime", "torch"] = "onnxruntime",
        on_metrics: OnMetrics | None = None,
    ) -> Features:
        """Features and statistics of samples; see `featurize`. How many were computed is said."""
        features = featurize(
            samples,
            self.graph,
            self.entry.spec,
            cache_dir=settings.cache_dir,
            backbone=self.entry.name,
            engine=engine,
            module=lambda: build_backbone(self.entry, self.weights),
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


def open_backbone(
    settings: TrainSettings | AuditSettings, progress: Progress, *, earlier: Earlier | None = None
) -> RunBackbone:
    """The backbone that the settings ask for, or that of an earlier run; which one, and why, is said.

    Raises:
        UsageError: there is no such backbone, or its weights cannot be had.
        ReplayWeightsMissing: those of the earlier run cannot be had.
    """
    entry, weights, reason = _chosen(settings, earlier, progress)
    graph = backbone_graph(entry, weights, entry.spec, settings.cache_dir, progress=progress)
    return RunBackbone(entry, weights, reason, graph)


def _chosen(
    settings: TrainSettings | AuditSettings, earlier: Earlier | None, progress: Progress
) -> tuple[BackboneEntry, Weights, str]:
    if earlier is not None and settings.weights is None and settings.backbone == earlier.backbone:
        progress.say(f"Backbone: {earlier.reason}", backbone=earlier.backbone)
        return *earlier.find_weights(settings.weights_url), earlier.reason
    entry, reason = choose_backbone(settings.backbone, settings.weights, no_nano=not settings.nano)
    progress.say(f"Backbone: {reason}", backbone=entry.name)
    download = settings.backbone is not None
    weights = find_weights(entry, settings.weights, download=download, weights_url=settings.weights_url)
    return entry, weights, reason
