"""The features of a run's pictures under any choice of them: computed when they are asked for, and kept."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from shared.cpu_features import Cpu, read_cpu
from shared.session import CUDA
from trainer.backbones import BackboneEntry
from trainer.completion import Caches, Done, by_digest, complete, open_caches
from trainer.counting import counted
from trainer.displays import duration
from trainer.engines import Engine, OnnxEngine
from trainer.errors.features import PictureNoLongerUsable
from trainer.feature_choices import SQUARE, candidate_choices, cost_of, in_words, rendered_apart, renderings_in_words
from trainer.featurize import open_engine, read_rows, rows_on_disk
from trainer.fingerprint import int8_on
from trainer.graph import EXPORT_S
from trainer.int8_graph import int8_graph
from trainer.live_metrics import OnMetrics
from trainer.memory_settings import DISK
from trainer.parity import probe_images
from trainer.progress import Progress
from trainer.recipe import FeatureChoice, FeatureRows, RowsToFit
from trainer.run_backbone import RunBackbone
from trainer.samples import Sample
from trainer.settings import TrainSettings
from trainer.taps import maps_read, worth_a_try
from trainer.views import view_numbers

if TYPE_CHECKING:
    from torch import nn

_TIMED_RUNS = 3

Choices = Sequence[tuple[FeatureChoice, int]]
"""Features with a number of views."""


@dataclass
class FeatureLibrary:
    """Features of N samples, from the cache where they are known.

    What is asked for is not held in memory. All pictures must have been featurised by the base choice before, which
    has told those that cannot be used.

    Attributes:
        backbone: of the run.
        samples: N samples; rows are in their order.
        settings: of the run.
        progress: told of what is computed.
        on_metrics: told of each picture that is featurised.
        calibration: samples of the train split, whose pictures give the scales of an int8 graph.
        square: whether all pictures are, so that some fits give the same pixels.
        cpu: that int8 graphs are made for.
        computed: renderings that were featurised so far.
    """

    backbone: RunBackbone
    samples: Sequence[Sample]
    settings: TrainSettings
    progress: Progress
    on_metrics: OnMetrics | None = None
    calibration: Sequence[Sample] = ()
    square: bool = False
    cpu: Cpu = field(default_factory=read_cpu)
    computed: int = field(default=0, init=False)
    _agreeing: dict[tuple[object, ...], int] = field(default_factory=dict, init=False, repr=False)

    @property
    def entry(self) -> BackboneEntry:
        """Of the catalogue."""
        return self.backbone.entry

    @property
    def base(self) -> FeatureChoice:
        """What the settings ask for, and the preset of the weights where they leave it open."""
        return self.backbone.choice

    @property
    def computes_on_gpu(self) -> bool:
        """Whether float32 features are those of a GPU here."""
        return OnnxEngine(self.backbone.graph, provider=self.settings.provider).provider == CUDA

    def candidates(self) -> tuple[FeatureChoice, ...]:
        """What is worth a try, the cheapest first; see `candidate_choices`. Choices of equal pixels are one."""
        every = candidate_choices(self.entry, self.settings)
        are_square = self.square and self.settings.views in (0, "auto")  # views are not, but for the mirror image
        return rendered_apart(every, first=self.base) if are_square else every

    def cost_of(self, choice: FeatureChoice) -> float:
        """Work for one served picture, relative to the preset of the weights; see `cost_of`."""
        return cost_of(choice, self.entry)

    def columns_of(self, choice: FeatureChoice, *, of_base: int) -> int:
        """How many numbers the features of a choice are, where those of the base choice are `of_base`."""
        last = self.entry.feature_size
        of_taps = of_base - last
        return last + (of_taps * maps_read(choice.taps) // maps_read(self.base.taps) if choice.taps else 0)

    def graph_of(self, choice: FeatureChoice) -> bytes:
        """The backbone's graph that gives these features; exported where that has not been done before.

        Raises:
            TapUnusable, ExportFailed, ParityFailed, CacheNotWritable: as `backbone_graph`.
            QuantisationFailed: as `int8_graph`.
        """
        cache_dir = self.settings.cache_dir
        graph = self.backbone.graph_of(choice, cache_dir, self.progress)
        if choice.precision == "float32":
            return graph
        return int8_graph(
            graph, choice.spec, self.calibration, cache_dir=cache_dir, cpu=self.cpu, progress=self.progress
        )

    def module_of(self, choice: FeatureChoice) -> "nn.Module":
        """The torch module that the graph of a choice was exported from."""
        return self.backbone.module_of(choice)

    def rows_to_fit(self, choice: FeatureChoice, views: int = 0) -> RowsToFit:
        """As `rows`, where the run has its features: on disk there are no views."""
        if self.settings.features_in != DISK:
            return self.rows(choice, views)
        engine, caches = self._open(choice, self.graph_of(choice))
        self._complete(choice, engine, caches, ())
        digests = [sample.digest for sample in self.samples]
        return rows_on_disk(caches.features, digests, folder=self.settings.cache_dir)

    def rows(self, choice: FeatureChoice, views: int = 0) -> FeatureRows:
        """Features of the samples and of as many views of each; what the cache lacks is computed, in one decode.

        Features with less of the middle stage are taken from those with all of it where both are worth a try.

        Raises:
            PictureNoLongerUsable: a picture that could be used before cannot be used now.
            CacheNotWritable, FeaturesLost: the cache does not keep what it is given.
        """
        wider = self._wider(choice)
        if wider is not None:
            rows, size = self.rows(wider, views), self._agreeing[choice.in_graph]
            return FeatureRows(rows.plain[:, :size], rows.views[:, :, :size])
        engine, caches = self._open(choice, self.graph_of(choice))
        numbers = view_numbers(views, mirrored=choice.mirror)
        self._complete(choice, engine, caches, numbers)
        digests = [sample.digest for sample in self.samples]
        plain = read_rows(caches.features, digests)
        of_views = np.zeros((views, *plain.shape), np.float32)
        for position, number in enumerate(numbers):
            of_views[position] = read_rows(caches.augmented, digests, str(number))
        return FeatureRows(plain, of_views)

    def announce(self, choices: Choices, *, views_tried: int = 0) -> None:
        """Say how much is to be computed for all of these, and about how long that takes; nothing if nothing is.

        Views that are tried on what is chosen, `views_tried` of each picture, and its int8 form are told as well: which
        features they are of is not known, so the dearest are counted, once for every choice that is made.
        """
        if self.square and len(self.candidates()) < len(candidate_choices(self.entry, self.settings)):
            self.progress.say(SQUARE)
        wanted = dict[FeatureChoice, int]()
        for choice, views in choices:
            kept = self._tapped(choice) or choice
            wanted[kept] = max(views, wanted.get(kept, 0))
        all_kinds = (*wanted, *(choice for choice, _ in choices))
        graphs = {choice.in_graph for choice in all_kinds if not self._find_graph(choice)}
        renderings = {choice: self._count_missing(choice, views) for choice, views in wanted.items()}
        if not any(renderings.values()) and not graphs:
            return
        further = self._most_further(choices, views_tried)
        dearest = max(self.cost_of(choice) for choice, _ in choices)
        work = sum(count * self.cost_of(choice) for choice, count in renderings.items())
        second = self._time_preset() / self.settings.thread_count
        seconds, further_s = len(graphs) * EXPORT_S + work * second, further * dearest * second
        total = sum(renderings.values())
        then = (
            f" Up to {further:,} more may follow for what it chooses, at most {duration(further_s)}." if further else ""
        )
        self.progress.say(
            f"The search compares {counted(len({*choices}), 'kind')} of features: {counted(total, 'rendering')} to "
            f"featurise and {counted(len(graphs), 'graph')} to export, about {duration(seconds)} "
            "on a quiet machine, and fitting heads comes on top; all of it is kept."
            f"{then}",
            renderings=total,
            graphs=len(graphs),
            estimate_s=round(seconds, 1),
            renderings_at_most=total + further,
            estimate_at_most_s=round(seconds + further_s, 1),
        )

    def _most_further(self, choices: Choices, views_tried: int) -> int:
        """How many renderings may follow: views of what is chosen, and all of it in int8; in each nested fold anew."""
        views = max(views for _, views in choices) + views_tried
        in_int8 = 0 if self.settings.precision == "float32" else 1 + views
        chosen = min(1 + self.settings.folds, len({*choices}))
        return len(by_digest(self.samples)) * (views_tried + in_int8) * chosen

    def _complete(self, choice: FeatureChoice, engine: Engine, caches: Caches, views: Sequence[int]) -> None:
        pictures = by_digest(self.samples)
        missing = caches.missing(pictures, views)
        if not missing:
            self._note(caches, pictures, views, Done(frozenset(), 0, {}))
            return
        self.progress.say(f"Featurising {renderings_in_words(missing)}: {in_words(choice)}.")
        done = complete(
            pictures,
            engine,
            choice.spec,
            caches,
            views=views,
            threads=self.settings.thread_count,
            progress=self.progress,
            on_metrics=self.on_metrics,
        )
        for digest, reason in done.refused.items():
            raise PictureNoLongerUsable(pictures[digest].name, reason)
        self.computed += done.rendered
        self._note(caches, pictures, views, done)
        caches.tidy(self.entry.name)

    def _note(self, caches: Caches, pictures: Collection[str], views: Sequence[int], done: Done) -> None:
        self.backbone.tally.note(
            caches.fingerprint,
            pictures,
            renderings=1 + len(views),
            computed=done.computed,
            rendered=done.rendered,
        )

    def _open(self, choice: FeatureChoice, graph: bytes) -> tuple[Engine, Caches]:
        # int8 kernels are those of CPUs; on a GPU the same graph computes in float, and rounds elsewhere.
        provider = self.settings.provider if choice.precision == "float32" else "cpu"
        module = partial(self.module_of, choice)
        ray = self.settings.ray_options
        engine, size = open_engine(self.settings.engine, graph, module, choice.spec, provider, ray)
        caches = open_caches(
            self.settings.cache_dir,
            graph,
            choice.spec,
            size,
            engine=engine.identity,
            precision="float32" if choice.precision == "float32" else int8_on(self.cpu),
            warn=self.progress.warn,
        )
        return engine, caches

    def _wider(self, choice: FeatureChoice) -> FeatureChoice | None:
        """The choice whose first columns these features are, bit for bit; None where they are to be computed."""
        tapped = self._tapped(choice)
        if tapped is None:
            return None
        if choice.in_graph not in self._agreeing:  # fits share a graph
            self._agreeing[choice.in_graph] = self._agree(choice, tapped)
        return tapped if self._agreeing[choice.in_graph] else None

    def _agree(self, choice: FeatureChoice, tapped: FeatureChoice) -> int:
        """How many columns the features have that are the first ones of the others, bit for bit; 0 if they are not."""
        images = probe_images(choice.spec)
        alone, together = (
            np.concatenate([engine.run(image[None]) for image in images])
            for engine in (OnnxEngine(self.graph_of(one), provider=self.settings.provider) for one in (choice, tapped))
        )
        size: int = alone.shape[1]
        return size if np.array_equal(alone, together[:, :size]) else 0

    def _tapped(self, choice: FeatureChoice) -> FeatureChoice | None:
        """The same with all that is read of the middle stage, if that is worth a try as well and gives both."""
        tried, gives_both = worth_a_try(self.entry.middle_stages), self.settings.engine == "onnxruntime"
        if choice.taps not in tried[:-1] or not gives_both or choice.precision != "float32":
            return None
        tapped = replace(choice, taps=tried[-1])
        # A search tries mirror images of what it tries without: they share their columns in the same way.
        return tapped if replace(tapped, mirror=self.base.mirror) in self.candidates() else None

    def _find_graph(self, choice: FeatureChoice) -> bytes | None:
        return self.backbone.find_graph(choice, self.settings.cache_dir)

    def _count_missing(self, choice: FeatureChoice, views: int) -> int:
        pictures = by_digest(self.samples)
        graph = self._find_graph(choice)
        if graph is None:
            return len(pictures) * (1 + views)
        _, caches = self._open(choice, graph)
        numbers = view_numbers(views, mirrored=choice.mirror)
        return sum(map(len, caches.missing(pictures, numbers).values()))

    def _time_preset(self) -> float:
        """Seconds that one thread takes for one picture of the preset's size, judged by the base choice."""
        engine, _ = self._open(self.base, self.graph_of(self.base))
        image = probe_images(self.base.spec)[:1]
        with engine.single_threaded():
            engine.run(image)
            started = time.perf_counter()
            for _ in range(_TIMED_RUNS):
                engine.run(image)
        return (time.perf_counter() - started) / _TIMED_RUNS / self.cost_of(self.base)
