"""Where the time of a picture goes while it is featurised: the steps one after the other, on one thread."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.decode import TRAINER_LIMITS, decode
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec, preprocess
from trainer.engines import Engine, OnnxEngine
from trainer.feature_cache import PLAIN_VIEW, FeatureCache
from trainer.picture_statistics import PictureStatistics, measure_picture
from trainer.samples import Sample
from trainer.statistics_cache import StatisticsCache

STEPS = ("read and hash", "decode", "resize", "statistics", "backbone", "write")
_WARM_UP = 20


def measure_steps(samples: Sequence[Sample], engine: OnnxEngine, spec: PreprocessSpec) -> dict[str, float]:
    """Milliseconds of processor time that each step takes of a picture; some pictures go before, so that all is warm.

    Args:
        samples: at least one.
        engine: on a CPU.
        spec: how pixels are prepared for it.
    """
    spent: dict[str, float] = defaultdict(float)
    _write([(sample, *_one(sample, engine, spec, defaultdict(float))) for sample in samples[:_WARM_UP]], engine, {})
    rows = [(sample, *_one(sample, engine, spec, spent)) for sample in samples]
    _write(rows, engine, spent)
    return {step: 1000 * spent[step] / len(samples) for step in STEPS}


def _one(
    sample: Sample, engine: Engine, spec: PreprocessSpec, spent: dict[str, float]
) -> tuple[NDArray[np.float32], PictureStatistics]:
    with _clock(spent, "read and hash"):
        data = sample.path.read_bytes()
        sha256_of(data)
    with _clock(spent, "decode"):
        image = decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
    with _clock(spent, "resize"):
        pixels = preprocess(image, spec)
    with _clock(spent, "statistics"):
        measured = measure_picture(data, image)
    with _clock(spent, "backbone"):
        row = engine.run(pixels[None])[0]
    return row, measured


def _write(
    rows: Sequence[tuple[Sample, NDArray[np.float32], PictureStatistics]], engine: OnnxEngine, spent: dict[str, float]
) -> None:
    with tempfile.TemporaryDirectory() as folder, _clock(spent, "write"):
        features = FeatureCache(Path(folder), "features", engine.feature_size)
        with features.writer() as of_features, StatisticsCache(Path(folder), "statistics").writer() as of_statistics:
            for sample, row, measured in rows:
                of_features.add(sample.digest, PLAIN_VIEW, row)
                of_statistics.add(sample.digest, measured)


@contextmanager
def _clock(spent: dict[str, float], step: str) -> Iterator[None]:
    before = time.thread_time()
    yield
    spent[step] = spent.get(step, 0.0) + time.thread_time() - before
