"""Samples -> a row of features and statistics for each: one decode a picture, in order, few pictures in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureError
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec, preprocess
from trainer.engines import Engine
from trainer.in_order import in_order
from trainer.manifest import PassedOver, Sample
from trainer.picture_statistics import PictureStatistics, measure_picture
from trainer.views import render_views

PLAIN: Final = None
"""The rendering of a picture that is no view; views are called by their numbers."""

CANNOT_READ = "cannot be read: "
"""How the reason begins where the file itself is out of reach, whatever is in it."""

CHANGED = "changed while this command ran; run it again"
"""The reason where the file is another one than was listed."""

Rendering = int | None
Wanted = Callable[[Sample], Sequence[Rendering]]
"""Which renderings of a sample are to be featurised."""


@dataclass(frozen=True, slots=True)
class PictureRow:
    """What is computed from one picture.

    Attributes:
        features: shape (R, D), of its R wanted renderings; None where none was asked for.
        statistics: of the image that the features are computed from; None where they were not asked for.
    """

    features: NDArray[np.float32] | None
    statistics: PictureStatistics | None


@dataclass(frozen=True, slots=True)
class _ReadPicture:
    pixels: list[NDArray[np.uint8]]
    statistics: PictureStatistics | None


def only_plain(_sample: Sample) -> Sequence[Rendering]:
    """No views."""
    return (PLAIN,)


def rows_of(
    samples: Sequence[Sample],
    engine: Engine,
    spec: PreprocessSpec,
    *,
    threads: int,
    wanted: Wanted = only_plain,
    measured: bool = True,
) -> Iterator[PictureRow | PassedOver]:
    """What is computed from each sample, in order, or why there is nothing; few pictures are in memory at once.

    A picture is read and decoded once, however many renderings of it are wanted.

    Args:
        samples: to be read.
        engine: computes features.
        spec: how pixels are prepared for it.
        threads: pictures in work at once.
        wanted: the renderings of each sample.
        measured: whether statistics are.
    """
    read = partial(_read, spec=spec, wanted=wanted, measured=measured)
    return (_one_by_one if engine.batch_size == 1 else _in_batches)(samples, engine, read, threads)


def _one_by_one(
    samples: Sequence[Sample], engine: Engine, read: "_Read", threads: int
) -> Iterator[PictureRow | PassedOver]:
    """Each thread reads, prepares and computes one picture after the other: no barrier, and nothing piles up."""

    def row_of(sample: Sample) -> PictureRow | PassedOver:
        picture = read(sample)
        if isinstance(picture, PassedOver):
            return picture
        rows = [engine.run(pixels[None])[0] for pixels in picture.pixels]
        return PictureRow(np.stack(rows) if rows else None, picture.statistics)

    with engine.single_threaded():
        yield from in_order(samples, row_of, threads=threads)


def _in_batches(
    samples: Sequence[Sample], engine: Engine, read: "_Read", threads: int
) -> Iterator[PictureRow | PassedOver]:
    """Threads read and prepare; this one computes."""
    pictures = in_order(samples, read, threads=threads)
    while batch := list(islice(pictures, engine.batch_size)):
        images = [pixels for one in batch if isinstance(one, _ReadPicture) for pixels in one.pixels]
        starts = range(0, len(images), engine.batch_size)
        runs = [engine.run(np.stack(images[start : start + engine.batch_size])) for start in starts]
        features = iter(row for run in runs for row in run)
        for one in batch:
            if isinstance(one, PassedOver):
                yield one
            else:
                rows = list(islice(features, len(one.pixels)))
                yield PictureRow(np.stack(rows) if rows else None, one.statistics)


_Read = Callable[[Sample], _ReadPicture | PassedOver]


def _read(sample: Sample, *, spec: PreprocessSpec, wanted: Wanted, measured: bool) -> _ReadPicture | PassedOver:
    """A sample's file decoded, rendered and measured, or why it cannot be; never raises for what is in the file."""
    try:
        data = sample.path.read_bytes()
        if sha256_of(data) != sample.digest:
            return PassedOver(sample.name, CHANGED)
        image = decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
        return _ReadPicture(_render(image, spec, sample, wanted), measure_picture(data, image) if measured else None)
    except OSError as error:
        return PassedOver(sample.name, f"{CANNOT_READ}{error.strerror or error}")
    except PictureError as error:
        return PassedOver(sample.name, str(error))


def _render(image: Image, spec: PreprocessSpec, sample: Sample, wanted: Wanted) -> list[NDArray[np.uint8]]:
    """In the order in which they are wanted, the plain one first."""
    renderings = wanted(sample)
    views = tuple(rendering for rendering in renderings if rendering is not None)
    plain = [preprocess(image, spec)] if len(views) < len(renderings) else []
    return plain + render_views(image, spec, sample.digest, views)
