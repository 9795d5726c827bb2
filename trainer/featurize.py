"""Samples -> features and statistics: from the cache where they are known, else computed, each picture once."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from shared.session import Provider
from trainer.cache_description import describe
from trainer.engines import Engine, OnnxEngine, TorchEngine
from trainer.errors import FeaturesLost, UsageError
from trainer.feature_cache import PLAIN_VIEW, FeatureCache
from trainer.fingerprint import fingerprint_of, what_features_depend_on, what_statistics_depend_on
from trainer.forecast import time_first
from trainer.live_metrics import FeaturizedPicture, OnMetrics
from trainer.manifest import PassedOver, Sample
from trainer.picture_rows import PictureRow, rows_of
from trainer.picture_statistics import StatisticsTable
from trainer.progress import Phase, Progress, Quiet
from trainer.statistics_cache import StatisticsCache

if TYPE_CHECKING:
    from torch import nn

MANY_PARTS = 32
"""From this many small parts on, the cache is tidied: one new picture a day would else leave a file for each day."""


@dataclass(frozen=True)
class Features:
    """The features and statistics of all samples that can be read.

    Attributes:
        values: shape (N, D), a row for each readable sample, in the order of the samples.
        statistics: N rows, likewise.
        readable: N positions in the samples that were asked for.
        unreadable: the other samples, each with its reason.
        featurized: different pictures whose features were computed now.
        from_cache: different pictures whose features were there.
    """

    values: NDArray[np.float32]
    statistics: StatisticsTable
    readable: tuple[int, ...]
    unreadable: tuple[PassedOver, ...]
    featurized: int
    from_cache: int


@dataclass(frozen=True)
class _Caches:
    """What is known of the pictures by their digests: features, and statistics beside them."""

    features: FeatureCache
    statistics: StatisticsCache

    def compact(self) -> None:
        self.features.compact(at_least_parts=MANY_PARTS)
        self.statistics.compact(at_least_parts=MANY_PARTS)


def featurize(
    samples: Sequence[Sample],
    graph: bytes,
    spec: PreprocessSpec,
    *,
    cache_dir: Path,
    backbone: str = "",
    engine: Literal["onnxruntime", "torch"] = "onnxruntime",
    module: "Callable[[], nn.Module] | None" = None,
    provider: Provider = "auto",
    threads: int = 1,
    progress: Progress | None = None,
    on_metrics: OnMetrics | None = None,
) -> Features:
    """Features and statistics of samples, computed only where the cache lacks them; pictures of equal content once.

    Both come from one decode. A picture whose features are known and whose statistics are not is only decoded. What
    was computed is stored as it comes: an interrupt from the keyboard loses the few pictures in work, a killed process
    the rows since the last part was written.

    Args:
        samples: in the order that the rows shall have.
        graph: of `backbone_graph`.
        spec: how pixels are prepared for it.
        cache_dir: holds the feature cache.
        backbone: its name, for whoever lists the cache.
        engine: what computes.
        module: gives the torch module; needed by the torch engine, and asked only when it has something to compute.
        provider: where to compute.
        threads: pictures in work at once, each on one thread.
        progress: told how long it will take, how far it is, and of damaged parts of the cache.
        on_metrics: told of each picture that is computed.

    Raises:
        SessionError: the engine cannot be had as asked.
        CacheNotWritable, FeaturesLost: the cache does not keep what it is given.
        UsageError: the torch engine without a module.
    """
    progress = progress or Quiet()
    computing, feature_size = _open(engine, graph, module, spec, provider)
    progress.say(f"Features are those of {computing.identity}.", engine=computing.identity)
    of_features = what_features_depend_on(graph, spec, engine=computing.identity)
    of_statistics = what_statistics_depend_on(spec)
    caches = _Caches(
        FeatureCache(cache_dir, fingerprint_of(of_features), feature_size, warn=progress.warn),
        StatisticsCache(cache_dir, fingerprint_of(of_statistics), warn=progress.warn),
    )
    pictures: dict[str, Sample] = {}
    for sample in samples:
        pictures.setdefault(sample.digest, sample)
    featurized, refused = _complete(
        pictures, computing, spec, caches, threads=threads, progress=progress, on_metrics=on_metrics
    )
    describe(caches.features.folder, {"backbone": backbone, **of_features})
    describe(caches.statistics.folder, of_statistics)
    caches.compact()
    known = len(pictures.keys() - refused.keys()) - featurized
    return _gather(samples, caches, refused, featurized=featurized, from_cache=known)


def _open(
    engine: str,
    graph: bytes,
    module: "Callable[[], nn.Module] | None",
    spec: PreprocessSpec,
    provider: Provider,
) -> tuple[Engine, int]:
    """The engine, and the length of its rows."""
    if engine == "onnxruntime":
        onnx = OnnxEngine(graph, provider=provider)
        return onnx, onnx.feature_size
    if module is None:
        raise UsageError("the torch engine needs the backbone as a torch module; take the onnxruntime engine.")
    feature_size = OnnxEngine(graph, provider="cpu").feature_size
    return TorchEngine(module, spec, provider=provider), feature_size


def _complete(
    pictures: Mapping[str, Sample],
    engine: Engine,
    spec: PreprocessSpec,
    caches: _Caches,
    *,
    threads: int,
    progress: Progress,
    on_metrics: OnMetrics | None,
) -> tuple[int, dict[str, str]]:
    """Compute and store what the caches lack; returns how many were featurised, and the reasons of refused digests."""
    featurized, measured = caches.features.known(pictures), caches.statistics.known(pictures)
    # By digest, that is in no order: the first pictures then tell how long the others will take.
    lacking = [pictures[one] for one in sorted(pictures) if one not in featurized or one not in measured]
    if not lacking:
        return 0, {}
    rows = rows_of(lacking, engine, spec, threads=threads, measured_only=featurized)
    phase_name, verb = ("featurize", "featurise") if len(featurized) < len(pictures) else ("measure", "measure")
    first = time_first(rows, total=len(lacking), verb=verb, progress=progress)
    with progress.phase(phase_name, total=len(lacking), already=len(first)) as phase:
        to_featurize = len(pictures) - len(featurized)
        done = _teller(phase, on_metrics, already=len(first), known=featurized, total=to_featurize)
        return _store(zip(lacking, chain(first, rows), strict=True), caches, measured=measured, done=done)


def _teller(
    phase: Phase, on_metrics: OnMetrics | None, *, already: int, known: Collection[str], total: int
) -> Callable[[Sample], None]:
    """What to call for each picture that is done: the caller learns of those to be featurised, the display of all.

    The display knows of the first ones already.
    """
    index, position = count(), count()

    def tell(sample: Sample) -> None:
        if next(position) >= already:
            phase.advance()
        if on_metrics is not None and sample.digest not in known:
            on_metrics(FeaturizedPicture(sample.split, next(index), total))

    return tell


def _store(
    rows: Iterable[tuple[Sample, PictureRow | PassedOver]],
    caches: _Caches,
    *,
    measured: Collection[str],
    done: Callable[[Sample], None],
) -> tuple[int, dict[str, str]]:
    """Store rows as they come, statistics only of pictures that are not among the `measured`."""
    featurized, refused = 0, {}
    with caches.features.writer() as features, caches.statistics.writer() as statistics:
        for sample, row in rows:
            if isinstance(row, PassedOver):
                refused[sample.digest] = row.reason
            elif row.features is not None and not np.isfinite(row.features).all():
                refused[sample.digest] = "the backbone answers with values that are not numbers"
            else:
                if sample.digest not in measured:
                    statistics.add(sample.digest, row.statistics)
                if row.features is not None:
                    features.add(sample.digest, PLAIN_VIEW, row.features)
                    featurized += 1
            done(sample)
    return featurized, refused


def _gather(
    samples: Sequence[Sample], caches: _Caches, refused: dict[str, str], *, featurized: int, from_cache: int
) -> Features:
    readable = tuple(position for position, sample in enumerate(samples) if sample.digest not in refused)
    digests = [samples[position].digest for position in readable]
    different = list(dict.fromkeys(digests))
    statistics, measured = caches.statistics.read(different)
    values, found = caches.features.read(different)
    for kept, folder in ((found, caches.features.folder), (measured, caches.statistics.folder)):
        if not kept.all():
            raise FeaturesLost(folder, int((~kept).sum()))
    if len(different) < len(digests):  # copies of a picture have copies of its row
        row_of = {digest: row for row, digest in enumerate(different)}
        rows = np.array([row_of[digest] for digest in digests], dtype=np.int64)
        values, statistics = values[rows], statistics.take(rows)
    unreadable = tuple(
        PassedOver(sample.name, refused[sample.digest]) for sample in samples if sample.digest in refused
    )
    return Features(values, statistics, readable, unreadable, featurized=featurized, from_cache=from_cache)
