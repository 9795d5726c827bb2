"""What the caches lack, computed and stored as it comes, each picture decoded once for all that is wanted of it."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain, count

from shared.preprocess import PreprocessSpec
from trainer.engines import Engine
from trainer.forecast import time_first, time_first_lots
from trainer.live_metrics import FeaturizedPicture, OnMetrics
from trainer.manifest import Sample
from trainer.picture_rows import Rendering, rows_of
from trainer.progress import Phase, Progress
from trainer.ray_engine import RayEngine
from trainer.row_store import MANY_PARTS, Caches, open_caches, store_rows

__all__ = ["MANY_PARTS", "Caches", "Done", "by_digest", "complete", "open_caches"]


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
        engine: computes features, here or on a cluster.
        spec: how pixels are prepared for it.
        caches: what is known, and where the rest goes.
        views: numbers of the views of each picture that are wanted beside it.
        threads: pictures in work at once.
        progress: told how long it will take, and how far it is.
        on_metrics: told of each picture that is featurised.
    """
    if isinstance(engine, RayEngine):
        engine.fetch_known(caches)
    missing, measured = _look(caches, pictures, views)
    if isinstance(engine, RayEngine) and engine.fetch_dropped(caches):
        missing, measured = _look(caches, pictures, views)
    # By digest, that is in no order: the first pictures then tell how long the others will take.
    lacking = [pictures[one] for one in sorted(one for one in pictures if one in missing or one not in measured)]
    if not lacking:
        return Done(frozenset(), 0, {})
    work = _Work(lacking, spec, caches, missing, measured, progress, on_metrics)
    refused = _complete_on_ray(work, engine) if isinstance(engine, RayEngine) else _complete_here(work, engine, threads)
    computed = missing.keys() - refused.keys() if refused else missing.keys()
    return Done(computed, sum(len(missing[digest]) for digest in computed), refused)


def _look(
    caches: Caches, pictures: Mapping[str, Sample], views: Collection[int]
) -> tuple[dict[str, tuple[Rendering, ...]], Set[str]]:
    """Renderings that are missing, and the pictures whose statistics are there; damaged parts are dropped."""
    missing = caches.missing(pictures, views)
    # What is known, not what is lacking: few digests where much is to be done, and the other way round.
    return missing, caches.statistics.known(pictures) if caches.statistics else pictures.keys()


@dataclass(frozen=True)
class _Work:
    """What is lacking, and all that is needed to complete it."""

    lacking: Sequence[Sample]
    spec: PreprocessSpec
    caches: Caches
    missing: Mapping[str, Sequence[Rendering]]
    measured: Set[str]
    progress: Progress
    on_metrics: OnMetrics | None

    @property
    def verb(self) -> str:
        return "featurise" if self.missing else "measure"

    @contextlib.contextmanager
    def phase(self, *, already: int) -> Iterator[Callable[[Sample], None]]:
        """Gives what to call for each picture that is done; the display knows of the first ones already."""
        name = "featurize" if self.missing else "measure"
        with self.progress.phase(name, total=len(self.lacking), already=already) as phase:
            yield _teller(phase, self.on_metrics, already=already, of=self.missing)


def _complete_here(work: _Work, engine: Engine, threads: int) -> dict[str, str]:
    """Compute and store on this machine; why pictures cannot be used, by digest."""
    rows = rows_of(
        work.lacking,
        engine,
        work.spec,
        threads=threads,
        wanted=_wanted_of(work.missing),
        measured=work.caches.statistics is not None,
    )
    first = time_first(rows, total=len(work.lacking), verb=work.verb, progress=work.progress)
    with work.phase(already=len(first)) as done:
        together = zip(work.lacking, chain(first, rows), strict=True)
        return store_rows(together, work.caches, missing=work.missing, measured=work.measured, done=done)


def _complete_on_ray(work: _Work, engine: RayEngine) -> dict[str, str]:
    """The same by the workers of a cluster, who store what they compute."""
    outcomes = engine.outcomes(
        work.lacking, work.spec, work.caches, wanted=work.missing, measured=work.measured, progress=work.progress
    )
    refused: dict[str, str] = {}
    with contextlib.closing(outcomes) as lots:
        first = time_first_lots(
            lots, workers=lambda: engine.workers, total=len(work.lacking), verb=work.verb, progress=work.progress
        )
        with work.phase(already=sum(map(len, first))) as done:
            for sample, reason in chain.from_iterable(chain(first, lots)):
                if reason:
                    refused[sample.digest] = reason
                done(sample)
    return refused


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
