"""Rows of features and statistics into the caches that keep them, and what those lack; the same on any machine."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from trainer.cache_description import describe
from trainer.feature_cache import PLAIN_VIEW, FeatureCache, FeatureWriter
from trainer.fingerprint import fingerprint_of, what_features_depend_on
from trainer.manifest import PassedOver, Sample
from trainer.picture_rows import PLAIN, PictureRow, Rendering
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
    def cache_dir(self) -> Path:
        """The folder that holds them."""
        return self.features.folder.parents[1]

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


def store_rows(
    rows: Iterable[tuple[Sample, PictureRow | PassedOver]],
    caches: Caches,
    *,
    missing: Mapping[str, Sequence[Rendering]],
    measured: Set[str],
    done: Callable[[Sample], None] = lambda _sample: None,
) -> dict[str, str]:
    """Store rows as they come, statistics only of pictures that lack them; why each of the others cannot be used.

    Args:
        rows: samples with what was computed of each.
        caches: where it goes.
        missing: the renderings that were featurised, by digest.
        measured: digests of pictures whose statistics are known.
        done: called for each sample.
    """
    refused: dict[str, str] = {}
    with _open_writers(caches, views=any(renderings[-1] is not PLAIN for renderings in missing.values())) as writers:
        for sample, row in rows:
            if reason := _refusal(row):
                refused[sample.digest] = reason
            elif isinstance(row, PictureRow):
                if sample.digest not in measured:
                    writers.add_statistics(sample.digest, row)
                if row.features is not None:
                    writers.add_features(sample.digest, missing[sample.digest], row.features)
            done(sample)
    return refused


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
