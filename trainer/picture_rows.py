"""Samples -> a row of features and statistics for each: one decode a picture, in order, few pictures in memory."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureError
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec, preprocess
from trainer.engines import Engine
from trainer.in_order import in_order
from trainer.manifest import PassedOver, Sample
from trainer.picture_statistics import PictureStatistics, measure_picture


@dataclass(frozen=True, slots=True)
class PictureRow:
    """What is computed from one picture.

    Attributes:
        features: shape (D,); None where they were not asked for.
        statistics: of the image that the features are computed from.
    """

    features: NDArray[np.float32] | None
    statistics: PictureStatistics


@dataclass(frozen=True, slots=True)
class _ReadPicture:
    pixels: NDArray[np.uint8] | None
    statistics: PictureStatistics


def rows_of(
    samples: Sequence[Sample],
    engine: Engine,
    spec: PreprocessSpec,
    *,
    threads: int,
    measured_only: Collection[str] = (),
) -> Iterator[PictureRow | PassedOver]:
    """What is computed from each sample, in order, or why there is nothing; few pictures are in memory at once.

    Args:
        samples: to be read.
        engine: computes features.
        spec: how pixels are prepared for it.
        threads: pictures in work at once.
        measured_only: digests of pictures whose features are not wanted.
    """
    return (_one_by_one if engine.batch_size == 1 else _in_batches)(samples, engine, spec, threads, measured_only)


def _one_by_one(
    samples: Sequence[Sample], engine: Engine, spec: PreprocessSpec, threads: int, measured_only: Collection[str]
) -> Iterator[PictureRow | PassedOver]:
    """Each thread reads, prepares and computes one picture after the other: no barrier, and nothing piles up."""

    def row_of(sample: Sample) -> PictureRow | PassedOver:
        picture = _read(sample, spec, measured_only)
        if isinstance(picture, PassedOver):
            return picture
        features = None if picture.pixels is None else engine.run(picture.pixels[None])[0]
        return PictureRow(features, picture.statistics)

    with engine.single_threaded():
        yield from in_order(samples, row_of, threads=threads)


def _in_batches(
    samples: Sequence[Sample], engine: Engine, spec: PreprocessSpec, threads: int, measured_only: Collection[str]
) -> Iterator[PictureRow | PassedOver]:
    """Threads read and prepare; this one computes."""
    read = partial(_read, spec=spec, measured_only=measured_only)
    pictures = in_order(samples, read, threads=threads)
    while batch := list(islice(pictures, engine.batch_size)):
        images = [one.pixels for one in batch if isinstance(one, _ReadPicture) and one.pixels is not None]
        features = iter(engine.run(np.stack(images)) if images else ())
        for one in batch:
            if isinstance(one, PassedOver):
                yield one
            else:
                yield PictureRow(None if one.pixels is None else next(features), one.statistics)


def _read(sample: Sample, spec: PreprocessSpec, measured_only: Collection[str]) -> _ReadPicture | PassedOver:
    """A sample's file decoded and measured, or why it cannot be; never raises for what is in the file."""
    try:
        data = sample.path.read_bytes()
        if sha256_of(data) != sample.digest:
            return PassedOver(sample.name, "changed while this command ran; run it again")
        image = decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
        pixels = None if sample.digest in measured_only else preprocess(image, spec)
        return _ReadPicture(pixels, measure_picture(data, image))
    except OSError as error:
        return PassedOver(sample.name, f"cannot be read: {error.strerror or error}")
    except PictureError as error:
        return PassedOver(sample.name, str(error))
