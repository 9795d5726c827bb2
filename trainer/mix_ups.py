"""Which labels are taken for which, how often, and what such pictures look like."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.evaluation import Evaluation
from trainer.held_out import HeldOut
from trainer.thumbnails import SMALL_PX, Thumbnails
from trainer.training import Training

MOST_PICTURED = 6
PICTURES_EACH = 3


@dataclass(frozen=True)
class MixUp:
    """How often samples of one label were taken for another, and out of how many."""

    actual: str
    predicted: str
    count: int
    of: int


@dataclass(frozen=True)
class Example:
    """A held-out picture: its thumbnail (None where there is none), its name, and the score of its predicted label."""

    picture_jpeg: bytes | None
    name: str
    score: float


@dataclass(frozen=True)
class PicturedMixUp:
    """A mix-up to look at.

    Attributes:
        mix_up: the two labels, and how often.
        mistaken: pictures of the one that were taken for the other, the most certain first.
        recognised: pictures of the other that were recognised, the most certain first, to compare with.
    """

    mix_up: MixUp
    mistaken: tuple[Example, ...]
    recognised: tuple[Example, ...]


def frequent_mix_ups(evaluation: Evaluation, most: int) -> Sequence[MixUp]:
    """The pairs of labels that were mixed up, the most frequent first, at most `most`."""
    labels = evaluation.labels
    pairs = [
        MixUp(labels[actual], labels[predicted], count, sum(row))
        for actual, row in enumerate(evaluation.confusion)
        for predicted, count in enumerate(row)
        if count and actual != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, pair.of, pair.actual, pair.predicted))[:most]


def picture_mix_ups(
    mix_ups: Sequence[MixUp], training: Training, held_out: HeldOut, thumbnails: Thumbnails
) -> tuple[PicturedMixUp, ...]:
    """Pictures of each mix-up, of those `held_out` that it was counted on."""
    index = {label: k for k, label in enumerate(training.labels)}

    def examples(actual: str, predicted: str) -> tuple[Example, ...]:
        among = np.logical_and(held_out.targets == index[actual], held_out.predicted == index[predicted])
        chosen = held_out.most_certain(among)[:PICTURES_EACH]
        return tuple(
            Example(thumbnails.of(sample, SMALL_PX), sample.name, float(held_out.scores[position]))
            for position in chosen.tolist()
            for sample in (training.samples[held_out.rows[position]],)
        )

    return tuple(
        PicturedMixUp(one, examples(one.actual, one.predicted), examples(one.predicted, one.predicted))
        for one in mix_ups
    )
