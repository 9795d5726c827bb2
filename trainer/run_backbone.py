"""The backbone of a run, as `train` and `audit` use it: chosen, its weights found, its graph exported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.backbones import BackboneEntry, Weights, choose_backbone, find_weights
from trainer.counting import counted
from trainer.feature_choices import base_choice
from trainer.feature_tally import FeatureTally
from trainer.featurize import Features, featurize
from trainer.graph import backbone_graph, find_graph
from trainer.live_metrics import OnMetrics
from trainer.progress import Progress
from trainer.ray_settings import EngineName
from trainer.recipe import FeatureChoice
from trainer.replay import Earlier
from trainer.samples import Sample
from trainer.settings import AuditSettings, TrainSettings

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class RunBackbone:
    """Ready to featurise.

    Attributes:
        entry: of the catalogue.
        weights: its weights.
        reason: why this one, a sentence.
        choice: which of its features the run begins with.
        graph: the exported network that gives them, ONNX.
        tally: counts what is featurised with it.
    """

    entry: BackboneEntry
    weights: Weights
    reason: str
    choice: FeatureChoice
    graph: bytes
    tally: FeatureTally = field(default_factory=FeatureTally, repr=False, compare=False, kw_only=True)

    def featurize(
        self,
        samples: Sequence[Sample],
        settings: TrainSettings | AuditSettings,
        progress: Progress,
        *,
        engine: EngineName = "onnxruntime",
        on_metrics: OnMetrics | None = None,
        on_disk: Callable[[int], bool] | None = None,
    ) -> Features:
        """Features and statistics of samples; see `featurize`. How many were computed is said."""
        features = featurize(
            samples,
            self.graph,
            self.choice.spec,
            cache_dir=settings.cache_dir,
            backbone=self.entry.name,
            engine=engine,
            module=lambda: self.module_of(self.choice),
            provider=settings.provider,
            ray=settings.ray_options if isinstance(settings, TrainSettings) else None,
            threads=settings.thread_count,
            progress=progress,
            on_metrics=on_metrics,
            tally=self.tally,
            on_disk=on_disk,
        )
        progress.say(
            f"Featurised {counted(features.featurized, 'picture')}, {features.from_cache:,} came from the cache.",
            featurized=features.featurized,
            from_cache=features.from_cache,
        )
        return features

    def graph_of(self, choice: FeatureChoice, cache_dir: Path, progress: Progress) -> bytes:
        """The graph that gives the features of a choice; see `backbone_graph`."""
        taps, mirror = choice.taps, choice.mirror
        return backbone_graph(
            self.entry, self.weights, choice.spec, cache_dir, taps=taps, mirror=mirror, progress=progress
        )

    def find_graph(self, choice: FeatureChoice, cache_dir: Path) -> bytes | None:
        """The same, if it need not be exported."""
        return find_graph(self.entry, self.weights, choice.spec, cache_dir, taps=choice.taps, mirror=choice.mirror)

    def module_of(self, choice: FeatureChoice) -> "nn.Module":
        """The torch module that the graph of a choice was exported from; see `build_chosen`."""
        from trainer.chosen_module import build_chosen

        return build_chosen(self.entry, self.weights, taps=choice.taps, mirror=choice.mirror)


def open_backbone(
    settings: TrainSettings | AuditSettings,
    progress: Progress,
    *,
    earlier: Earlier | None = None,
    tally: FeatureTally | None = None,
    because: str | None = None,
) -> RunBackbone:
    """The backbone that the settings ask for, or that of an earlier run; which one, and why, is said.

    What is featurised with it counts in `tally`. `because` is the sentence that says why, where the settings do not
    know: they name what was picked for the user as if it had been named.

    Raises:
        UsageError: there is no such backbone, its weights cannot be had, or it has no such features.
        ReplayWeightsMissing: those of the earlier run cannot be had.
    """
    entry, weights, reason = _chosen(settings, earlier, progress, because)
    choice = _begins_with(entry, settings)
    graph = backbone_graph(
        entry, weights, choice.spec, settings.cache_dir, taps=choice.taps, mirror=choice.mirror, progress=progress
    )
    return RunBackbone(entry, weights, reason, choice, graph, tally=FeatureTally() if tally is None else tally)


def open_to_compare(settings: TrainSettings, progress: Progress) -> RunBackbone:
    """One of several backbones, none of which is picked yet; raises as `open_backbone`."""
    entry, _ = choose_backbone(settings.backbone, settings.weights, no_nano=not settings.nano)
    because = f"{entry.name}, one of those that are compared; weights: {entry.weights_name}."
    return open_backbone(settings, progress, because=because)


def _chosen(
    settings: TrainSettings | AuditSettings, earlier: Earlier | None, progress: Progress, because: str | None
) -> tuple[BackboneEntry, Weights, str]:
    if earlier is not None and settings.weights is None and settings.backbone == earlier.backbone:
        progress.say(f"Backbone: {earlier.reason}", backbone=earlier.backbone)
        return *earlier.find_weights(settings.weights_url), earlier.reason
    entry, reason = choose_backbone(settings.backbone, settings.weights, no_nano=not settings.nano)
    reason = because or reason
    progress.say(f"Backbone: {reason}", backbone=entry.name)
    _begins_with(entry, settings)  # what cannot be done is refused before weights are downloaded for it
    download = settings.backbone is not None
    weights = find_weights(entry, settings.weights, download=download, weights_url=settings.weights_url)
    return entry, weights, reason


def _begins_with(entry: BackboneEntry, settings: TrainSettings | AuditSettings) -> FeatureChoice:
    return base_choice(entry, settings) if isinstance(settings, TrainSettings) else FeatureChoice(entry.spec)
