"""Samples -> features: from the cache where they are known, computed where they are not, each picture once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureError
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec, preprocess
from shared.session import Provider
from trainer.engines import Engine, OnnxEngine, TorchEngine
from trainer.errors import FeaturesLost, UsageError
from trainer.feature_cache import PLAIN_VIEW, FeatureCache
from trainer.fingerprint import fingerprint
from trainer.in_order import in_order
from trainer.manifest import PassedOver, Sample
from trainer.progress import Progress, Quiet

if TYPE_CHECKING:
    from torch import nn

MANY_PARTS = 32
"""From this many parts on, the cache is tidied: one new picture a day would else leave a file for each day."""


@dataclass(frozen=True)
class Features:
    """The features of all samples that can be read.

    Attributes:
        values: shape (N, D), a row for each readable sample, in the order of the samples.
        readable: N positions in the samples that were asked for.
        unreadable: the other samples, each with its reason.
        featurized: different pictures that were computed now.
        from_cache: different pictures whose features were there.
    """

    values: NDArray[np.float32]
    readable: tuple[int, ...]
    unreadable: tuple[PassedOver, ...]
    featurized: int
    from_cache: int


def featurize(
    samples: Sequence[Sample],
    graph: bytes,
    spec: PreprocessSpec,
    *,
    cache_dir: Path,
    engine: Literal["onnxruntime", "torch"] = "onnxruntime",
    module: "Callable[[], nn.Module] | None" = None,
    provider: Provider = "auto",
    threads: int = 1,
    progress: Progress | None = None,
) -> Features:
    """Features of samples, computed only where the cache has none. Pictures of equal content are computed once.

    What was computed is stored as it comes: an interrupt from the keyboard loses the few pictures in work, a killed
    process the rows since the last part was written.

    Args:
        samples: in the order that the rows shall have.
        graph: of `backbone_graph`.
        spec: how pixels are prepared for it.
        cache_dir: holds the feature cache.
        engine: what computes.
        module: gives the torch module; needed by the torch engine, and asked only when it has something to compute.
        provider: where to compute.
        threads: pictures in work at once, each on one thread.
        progress: told how far it is, and of damaged parts of the cache.

    Raises:
        SessionError: the engine cannot be had as asked.
        CacheNotWritable, FeaturesLost: the cache does not keep what it is given.
        UsageError: the torch engine without a module.
    """
    progress = progress or Quiet()
    computing, feature_size = _open(engine, graph, module, spec, provider)
    progress.say(f"Features are those of {computing.identity}.", engine=computing.identity)
    key = fingerprint(graph, spec, engine=computing.identity)
    cache = FeatureCache(cache_dir, key, feature_size, warn=progress.warn)
    pictures: dict[str, Sample] = {}
    for sample in samples:
        pictures.setdefault(sample.digest, sample)
    known = cache.known(pictures.keys())
    unknown = [sample for digest, sample in pictures.items() if digest not in known]
    refused = _compute(unknown, computing, spec, cache, threads=threads, progress=progress) if unknown else {}
    cache.compact(at_least_parts=MANY_PARTS)
    return _gather(samples, cache, refused, featurized=len(unknown) - len(refused), from_cache=len(known))


def read_pixels(sample: Sample, spec: PreprocessSpec) -> NDArray[np.uint8] | PassedOver:
    """Pixels (H, W, 3) of a sample's file, or why there are none; never raises for what is in the file."""
    try:
        data = sample.path.read_bytes()
        if sha256_of(data) != sample.digest:
            return PassedOver(sample.name, "changed while this command ran; run it again")
        return preprocess(decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS), spec)
    except OSError as error:
        return PassedOver(sample.name, f"cannot be read: {error.strerror or error}")
    except PictureError as error:
        return PassedOver(sample.name, str(error))


def rows_of(
    samples: Sequence[Sample], engine: Engine, spec: PreprocessSpec, *, threads: int
) -> Iterator[NDArray[np.float32] | PassedOver]:
    """What the engine gives for each sample, in order, or why there is nothing; few pictures are in memory at once."""
    return (_one_by_one if engine.batch_size == 1 else _in_batches)(samples, engine, spec, threads)


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


def _compute(
    samples: Sequence[Sample],
    engine: Engine,
    spec: PreprocessSpec,
    cache: FeatureCache,
    *,
    threads: int,
    progress: Progress,
) -> dict[str, str]:
    """Compute and store features; returns the reasons of those that cannot be used, by digest."""
    refused: dict[str, str] = {}
    rows = rows_of(samples, engine, spec, threads=threads)
    with progress.phase("featurize", total=len(samples)) as phase, cache.writer() as writer:
        for sample, row in zip(samples, rows, strict=True):
            if isinstance(row, PassedOver):
                refused[sample.digest] = row.reason
            elif not np.isfinite(row).all():
                refused[sample.digest] = "the backbone answers with values that are not numbers"
            else:
                writer.add(sample.digest, PLAIN_VIEW, row)
            phase.advance()
    return refused


def _one_by_one(
    samples: Sequence[Sample], engine: Engine, spec: PreprocessSpec, threads: int
) -> Iterator[NDArray[np.float32] | PassedOver]:
    """Each thread reads, prepares and computes one picture after the other: no barrier, and nothing piles up."""

    def row_of(sample: Sample) -> NDArray[np.float32] | PassedOver:
        pixels = read_pixels(sample, spec)
        return pixels if isinstance(pixels, PassedOver) else engine.run(pixels[None])[0]

    with engine.single_threaded():
        yield from in_order(samples, row_of, threads=threads)


def _in_batches(
    samples: Sequence[Sample], engine: Engine, spec: PreprocessSpec, threads: int
) -> Iterator[NDArray[np.float32] | PassedOver]:
    """Threads read and prepare; this one computes."""
    pixels = in_order(samples, partial(read_pixels, spec=spec), threads=threads)
    while batch := list(islice(pixels, engine.batch_size)):
        readable = [images for images in batch if not isinstance(images, PassedOver)]
        rows = iter(engine.run(np.stack(readable)) if readable else ())
        for images in batch:
            yield images if isinstance(images, PassedOver) else next(rows)


def _gather(
    samples: Sequence[Sample], cache: FeatureCache, refused: Mapping[str, str], *, featurized: int, from_cache: int
) -> Features:
    rows = cache.read({sample.digest for sample in samples} - refused.keys())
    readable = tuple(position for position, sample in enumerate(samples) if sample.digest not in refused)
    if lost := {samples[position].digest for position in readable} - rows.keys():
        raise FeaturesLost(cache.folder, len(lost))
    values = np.empty((len(readable), cache.feature_size), dtype=np.float32)
    for row, position in enumerate(readable):
        values[row] = rows[samples[position].digest]
    unreadable = tuple(
        PassedOver(sample.name, refused[sample.digest]) for sample in samples if sample.digest in refused
    )
    return Features(values, readable, unreadable, featurized=featurized, from_cache=from_cache)
