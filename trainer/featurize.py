"""Samples -> features and statistics: from the cache where they are known, else computed, each picture once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.cores import usable_cores
from shared.preprocess import PreprocessSpec
from shared.session import Provider
from trainer.cache_description import describe
from trainer.completion import by_digest, complete, open_caches
from trainer.engines import Engine, OnnxEngine, TorchEngine
from trainer.errors import UsageError
from trainer.errors.caches import FeaturesLost
from trainer.feature_cache import PLAIN_VIEW, FeatureCache
from trainer.feature_tally import FeatureTally
from trainer.fingerprint import fingerprint_of, what_statistics_depend_on
from trainer.live_metrics import OnMetrics
from trainer.manifest import PassedOver, Sample
from trainer.picture_statistics import StatisticsTable
from trainer.progress import Progress, Quiet
from trainer.ray_engine import RayEngine
from trainer.ray_settings import RAY, EngineName, RayOptions
from trainer.rows import Rows, in_memory, take
from trainer.rows_on_disk import RowFile, RowsOnDisk
from trainer.statistics_cache import StatisticsCache

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Features:
    """The features and statistics of all samples that can be read.

    Attributes:
        rows: shape (N, D), a row for each readable sample, in the order of the samples.
        statistics: N rows, likewise.
        readable: N positions in the samples that were asked for.
        unreadable: the other samples, each with its reason.
        featurized: different pictures whose features were computed now.
        from_cache: different pictures whose features were there.
    """

    rows: Rows
    statistics: StatisticsTable
    readable: tuple[int, ...]
    unreadable: tuple[PassedOver, ...]
    featurized: int
    from_cache: int

    @property
    def values(self) -> NDArray[np.float32]:
        """The rows in memory, wherever they lie."""
        return in_memory(self.rows)

    def of_rows(self, rows: Sequence[int]) -> "Features":
        """Those of some rows, in this order; what was computed, and what cannot be read, stays."""
        chosen = np.asarray(rows, dtype=np.int64)
        readable = tuple(self.readable[row] for row in rows)
        return replace(self, rows=take(self.rows, chosen), statistics=self.statistics.take(rows), readable=readable)


def featurize(
    samples: Sequence[Sample],
    graph: bytes,
    spec: PreprocessSpec,
    *,
    cache_dir: Path,
    backbone: str = "",
    engine: EngineName = "onnxruntime",
    module: "Callable[[], nn.Module] | None" = None,
    provider: Provider = "auto",
    ray: RayOptions | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    on_metrics: OnMetrics | None = None,
    tally: FeatureTally | None = None,
    on_disk: Callable[[int], bool] | None = None,
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
        provider: where to compute; on a cluster that is said by `ray`.
        ray: which cluster the engine "ray" uses, and what a worker takes of it; by default one of this machine.
        threads: pictures in work at once, each on one thread; a worker of a cluster has its own number.
        progress: told how long it will take, how far it is, and of damaged parts of the cache.
        on_metrics: told of each picture that is computed.
        tally: counts them.
        on_disk: whether rows of this length shall lie in a file of their own, beside the cache, rather than in
            memory; asked before anything is computed.

    Raises:
        SessionError: the engine cannot be had as asked.
        CacheNotWritable, FeaturesLost: the cache does not keep what it is given.
        UsageError: the torch engine without a module.
        RayMissing, ClusterUnreachable, WorkersFailed and others of `errors.clusters`: there is no cluster, or its
            workers cannot compute.
    """
    progress = progress or Quiet()
    computing, feature_size = open_engine(engine, graph, module, spec, provider, ray)
    lies_on_disk = on_disk is not None and on_disk(feature_size)
    progress.say(f"Features are those of {computing.identity}.", engine=computing.identity)
    of_statistics = what_statistics_depend_on(spec)
    statistics = StatisticsCache(cache_dir, fingerprint_of(of_statistics), warn=progress.warn)
    caches = open_caches(
        cache_dir, graph, spec, feature_size, engine=computing.identity, statistics=statistics, warn=progress.warn
    )
    pictures = by_digest(samples)
    done = complete(pictures, computing, spec, caches, threads=threads, progress=progress, on_metrics=on_metrics)
    describe(statistics.folder, of_statistics)
    caches.tidy(backbone)
    usable = pictures.keys() - done.refused.keys()
    if tally is not None:
        tally.note(caches.fingerprint, usable, renderings=1, computed=done.computed, rendered=done.rendered)
    known = len(usable) - done.featurized
    read = partial(rows_on_disk, folder=cache_dir) if lies_on_disk else read_rows
    readable = [sample.digest for sample in samples if sample.digest not in done.refused]
    rows = read(caches.features, readable)
    return _gather(samples, rows, statistics, done.refused, featurized=done.featurized, from_cache=known)


def open_engine(
    engine: str,
    graph: bytes,
    module: "Callable[[], nn.Module] | None",
    spec: PreprocessSpec,
    provider: Provider,
    ray: RayOptions | None = None,
) -> tuple[Engine, int]:
    """The engine, and the length of its rows; see `featurize`."""
    if engine == RAY:
        on_cluster = RayEngine(graph, ray or RayOptions(cpus_here=usable_cores()))
        return on_cluster, on_cluster.feature_size
    if engine == "onnxruntime":
        onnx = OnnxEngine(graph, provider=provider)
        return onnx, onnx.feature_size
    if module is None:
        raise UsageError("the torch engine needs the backbone as a torch module; take the onnxruntime engine.")
    feature_size = OnnxEngine(graph, provider="cpu").feature_size
    return TorchEngine(module, spec, provider=provider), feature_size


def _gather(
    samples: Sequence[Sample],
    rows: Rows,
    statistics: StatisticsCache,
    refused: Mapping[str, str],
    *,
    featurized: int,
    from_cache: int,
) -> Features:
    readable = tuple(position for position, sample in enumerate(samples) if sample.digest not in refused)
    digests = [samples[position].digest for position in readable]
    different = list(dict.fromkeys(digests))
    table, measured = statistics.read(different)
    if not measured.all():
        raise FeaturesLost(statistics.folder, int((~measured).sum()))
    if len(different) < len(digests):
        table = table.take(_copies(digests, different))
    unreadable = tuple(
        PassedOver(sample.name, refused[sample.digest]) for sample in samples if sample.digest in refused
    )
    return Features(rows, table, readable, unreadable, featurized=featurized, from_cache=from_cache)


def read_rows(cache: FeatureCache, digests: Sequence[str], view: str = PLAIN_VIEW) -> NDArray[np.float32]:
    """Features (N, D) of N digests; copies of a picture have copies of its row.

    Raises:
        FeaturesLost: the cache does not have them all.
    """
    different = list(dict.fromkeys(digests))
    values, found = cache.read(different, view)
    if not found.all():
        raise FeaturesLost(cache.folder, int((~found).sum()))
    return values if len(different) == len(digests) else values[_copies(digests, different)]


def rows_on_disk(cache: FeatureCache, digests: Sequence[str], *, folder: Path) -> RowsOnDisk:
    """The same in a file, in the order of the digests, where copies of a picture share a row.

    Raises:
        FeaturesLost: the cache does not have them all.
        CacheNotWritable: the folder has no room for them.
    """
    different = sorted({*digests})
    file = RowFile(folder, len(different), cache.feature_size)
    found = cache.copy(different, file)
    if not found.all():
        raise FeaturesLost(cache.folder, int((~found).sum()))
    return file.rows().take(_copies(digests, different))


def _copies(digests: Sequence[str], different: Sequence[str]) -> NDArray[np.int64]:
    """Where each of `digests` is among the different ones."""
    row_of = {digest: row for row, digest in enumerate(different)}
    return np.array([row_of[digest] for digest in digests], dtype=np.int64)
