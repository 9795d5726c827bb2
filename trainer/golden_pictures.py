"""Chooses and makes the golden inputs of a bundle: a few real pictures, or noise where pictures must stay at home."""

from collections.abc import Sequence

import numpy as np

from shared.bundle import NOVELTY, PROBABILITIES
from shared.decode import TRAINER_LIMITS, decode
from shared.golden import Golden
from shared.preprocess import PreprocessSpec, preprocess
from shared.session import open_session
from trainer.manifest import Sample
from trainer.sample_bytes import read_sample

GOLDEN_COUNT = 8
_NOISE_SEED = 20


def make_golden(model: bytes, samples: Sequence[Sample], spec: PreprocessSpec, *, keep_pictures: bool) -> Golden:
    """Golden inputs and the answers of the graph that will be served.

    Args:
        model: the served graph.
        samples: at least one, all decodable.
        spec: of the model.
        keep_pictures: False makes the tensors from seeded noise and stores no picture.

    Raises:
        PictureNoLongerUsable: one was changed or removed meanwhile.
    """
    pictures = tuple(read_sample(sample) for sample in choose_golden(samples)) if keep_pictures else ()
    images = (
        np.stack(
            [preprocess(decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS), spec) for data in pictures]
        )
        if pictures
        else np.random.default_rng(_NOISE_SEED).integers(0, 256, (GOLDEN_COUNT, spec.height, spec.width, 3), np.uint8)
    )
    session = open_session(model, provider="cpu", threads=1)
    wanted = [name for name in (PROBABILITIES, NOVELTY) if name in session.output_names]
    answers = [session.run(image[None], wanted) for image in images]
    probabilities, *novelty = (np.concatenate(values) for values in zip(*answers, strict=True))
    return Golden(images, probabilities, pictures, novelty[0] if novelty else None)


def choose_golden(samples: Sequence[Sample], count: int = GOLDEN_COUNT) -> list[Sample]:
    """Up to `count` samples, taking labels in turn; the smallest digests of each, so the choice is stable."""
    by_label: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.digest):
        by_label.setdefault(sample.label, []).append(sample)
    turns = sorted(
        ((turn, label, sample) for label, own in by_label.items() for turn, sample in enumerate(own)),
        key=lambda entry: entry[:2],
    )
    return [sample for _, _, sample in turns[:count]]
