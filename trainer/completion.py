"""What the caches lack, computed and stored as it comes, each picture decoded once for all that is wanted of it."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from trainer.cache_description import describe
from trainer.engines import Engine
from trainer.feature_cache import PLAIN_VIEW, FeatureCache, FeatureWriter
from trainer.fingerprint import fingerprint_of, what_features_depend_on
from trainer.forecast import time_first
from trainer.live_metrics import FeaturizedPicture, OnMetrics
from trainer.manifest import PassedOver, Sample
from trainer.picture_rows import PLAIN, PictureRow, Rendering, rows_of
from trainer.progress import Phase, Progress
from trainer.statistics_cache import StatisticsCache
from trainer.views import view_definition

if TYPE_CHECKING:
    from trainer.statistics_cache import StatisticsWriter

MANY_PARTS = 32
"""From this many small parts on, the cache is tidied: one new picture a day would else leave a file for each day."""


@dataclass(frozen=True)
class Caches:
    """What is known of the pictures by their digests.

    Attributes:
        features: of the pictures as they are.
        augmented: of their views.
        statistics: beside them; None where they are not wanted.
        what: the features depend on, by the cache that holds them.
    """

    features: FeatureCache
    augmented: FeatureCache
    statistics: StatisticsCache | None
    what: tuple[dict[str, Any], dict[str, Any]]

    @property
    def fingerprint(self) -> str:
        """Of the features of the pictures as they are."""
        return self.features.folder.name

    def missing(self, digests: Collection[str], views: Collection[int]) -> dict[str, tuple[Rendering, ...]]:
        """What is to be featurised of pictures, plain before views of these numbers; who lacks nothing is left out."""
        plain = self.features.known(digests)
        of_views: Mapping[str, Collection[str]] = self.augmented.known_views(digests) if views else {}
        found: dict[str, tuple[Rendering, ...]] = {}
        same: dict[tuple[Rendering, ...], tuple[Rendering, ...]] = {}  # most pictures lack the same, which is held once
        for digest in digests:
            known = of_views.get(digest, ())
            lacking = [index for index in views if str(index) not in known]
            if renderings := (*(() if digest in plain else (PLAIN,)), *lacking):
                found[digest] = same.setdefault(renderings, renderings)
        return found

    def tidy(self, backbone: str) -> None:
        """Say what the folders hold, and join what many small runs have left."""
        for cache, what in zip((self.features, self.augmented), self.what, strict=True):
            describe(cache.folder, {"backbone": backbone, **what})
            cache.compact(at_least_parts=MANY_PARTS)
        if self.statistics is not None:
            self.statistics.compact(at_least_parts=MANY_PARTS)


@dataclass(frozen=True)
class Done:
    """What came of it.

    Attributes:
        computed: digests of the pictures of which something was featurised.
        rendered: how many renderings of them.
        refused: digests of pictures that cannot be used, with the reason.
    """

    computed: Set[str]
    rendered: int
    refused: Mapping[str, str]

    @property
    def featurized(self) -> int:
        """How many pictures that was."""
        return len(self.computed)


def open_caches(
    cache_dir: Path,
    graph: bytes,
    spec: PreprocessSpec,
    feature_size: int,
    *,
    engine: str,
    precision: str = "float32",
    statistics: StatisticsCache | None = None,
    warn: Callable[[str], None],
) -> Caches:
    """The caches of the features that an engine computes with a graph; see `what_features_depend_on`."""
    plain = what_features_depend_on(graph, spec, engine=engine, precision=precision)
    views = {**plain, "view": view_definition()}  # a large graph is hashed once
    features, augmented = (
        FeatureCache(cache_dir, fingerprint_of(what), feature_size, warn=warn) for what in (plain, views)
    )
    return Caches(features, augmented, statistics, (plain, views))


def by_digest(samples: Iterable[Sample]) -> dict[str, Sample]:
    """One sample of each content, the first."""
    pictures: dict[str, Sample] = {}
    for sample in samples:
        pictures.setdefault(sample.digest, sample)
    return pictures


def complete(
    pictures: Mapping[str, Sample],
    engine: Engine,
    spec: PreprocessSpec,
    caches: Caches,
    *,
    views: Collection[int] = (),
    threads: int,
    progress: Progress,
    on_metrics: OnMetrics | None = None,
) -> Done:
    """Compute and store what the caches lack.

    Args:
        pictures: by digest.
        engine: computes features.
        spec: how pixels are prepared for it.
        caches: what is known, and where the rest goes.
        views: numbers of the views of each picture that are wanted beside it.
        threads: pictures in work at once.
        progress: told how long it will take, and how far it is.
        on_metrics: told of each picture that is featurised.
    """
    missing = caches.missing(pictures, views)
    # What is known, not what is lacking: few digests where much is to be done, and the other way round.
    measured = caches.statistics.known(pictures) if caches.statistics else pictures.keys()
    # By digest, that is in no order: the first pictures then tell how long the others will take.
    lacking = [pictures[one] for one in sorted(one for one in pictures if one in missing or one not in measured)]
    if not lacking:
        return Done(frozenset(), 0, {})
    wanted = _wanted_of(missing)
    rows = rows_of(lacking, engine, spec, threads=threads, wanted=wanted, measured=caches.statistics is not None)
    phase_name, verb = ("featurize", "featurise") if missing else ("measure", "measure")
    first = time_first(rows, total=len(lacking), verb=verb, progress=progress)
    with progress.phase(phase_name, total=len(lacking), already=len(first)) as phase:
        done = _teller(phase, on_metrics, already=len(first), of=missing)
        together = zip(lacking, chain(first, rows), strict=True)
        return _store(together, caches, missing=missing, measured=measured, done=done)


def _wanted_of(missing: Mapping[str, Sequence[Rendering]]) -> Callable[[Sample], Sequence[Rendering]]:
    return lambda sample: missing.get(sample.digest, ())


def _teller(
    phase: Phase, on_metrics: OnMetrics | None, *, already: int, of: Collection[str]
) -> Callable[[Sample], None]:
    """What to call for each picture that is done: the caller learns of those to be featurised, the display of all.

    The display knows of the first ones already.
    """
    index, position = count(), count()

    def tell(sample: Sample) -> None:
        if next(position) >= already:
            phase.advance()
        if on_metrics is not None and sample.digest in of:
            on_metrics(FeaturizedPicture(sample.split, next(index), len(of)))

    return tell


def _store(
    rows: Iterable[tuple[Sample, PictureRow | PassedOver]],
    caches: Caches,
    *,
    missing: Mapping[str, Sequence[Rendering]],
    measured: Set[str],
    done: Callable[[Sample], None],
) -> Done:
    """Store rows as they come, statistics only of pictures that lack them."""
    rendered, refused = 0, dict[str, str]()
    with _open_writers(caches, views=any(renderings[-1] is not PLAIN for renderings in missing.values())) as writers:
        for sample, row in rows:
            if reason := _refusal(row):
                refused[sample.digest] = reason
            elif isinstance(row, PictureRow):
                if sample.digest not in measured:
                    writers.add_statistics(sample.digest, row)
                if row.features is not None:
                    writers.add_features(sample.digest, missing[sample.digest], row.features)
                    rendered += len(row.features)
            done(sample)
    computed = missing.keys() - refused.keys() if refused else missing.keys()
    return Done(computed, rendered, refused)


def _refusal(row: PictureRow | PassedOver) -> str:
    """Why a picture cannot be used; "" if it can."""
    if isinstance(row, PassedOver):
        return row.reason
    finite = row.features is None or np.isfinite(row.features).all()
    return "" if finite else "the backbone answers with values that are not numbers"


@dataclass(frozen=True)
class _Writers:
    features: FeatureWriter
    augmented: FeatureWriter | None
    statistics: "StatisticsWriter | None"

    def add_features(self, digest: str, renderings: Sequence[Rendering], features: NDArray[np.float32]) -> None:
        for rendering, values in zip(renderings, features, strict=True):
            if rendering is PLAIN:
                self.features.add(digest, PLAIN_VIEW, values)
            elif self.augmented is not None:
                self.augmented.add(digest, str(rendering), values)

    def add_statistics(self, digest: str, row: PictureRow) -> None:
        if self.statistics is not None and row.statistics is not None:
            self.statistics.add(digest, row.statistics)


@contextlib.contextmanager
def _open_writers(caches: Caches, *, views: bool) -> Iterator[_Writers]:
    """What is written when they close, also when interrupted; a folder is made only for what is to be written."""
    with contextlib.ExitStack() as stack:
        yield _Writers(
            stack.enter_context(caches.features.writer()),
            stack.enter_context(caches.augmented.writer()) if views else None,
            stack.enter_context(caches.statistics.writer()) if caches.statistics else None,
        )
