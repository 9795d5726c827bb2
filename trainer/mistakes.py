"""The held-out pictures that were labelled wrong, the most confident first, beside what the head learned from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.head import Head
from trainer.held_out import HeldOut
from trainer.neighbours import nearest_of_other_groups
from trainer.rows import each
from trainer.thumbnails import SMALL_PX, Thumbnails
from trainer.training import Training

MOST_MISTAKES = 18
NEIGHBOURS = 3


@dataclass(frozen=True)
class Neighbour:
    """A picture that was learned from, and looks to the backbone like the one that was mistaken.

    Attributes:
        picture_jpeg: a small thumbnail; None where pictures are kept out or it is gone.
        name: of the sample.
        label: its label.
        likeness: cosine of the standardised features, 1 for the same.
    """

    picture_jpeg: bytes | None
    name: str
    label: str
    likeness: float


@dataclass(frozen=True)
class Mistake:
    """A sample that was predicted to be of another label than its own.

    Attributes:
        picture_jpeg: a thumbnail; None where pictures are kept out or it is gone.
        name: of the sample.
        actual: its label.
        predicted: the label with the highest score.
        score: that score, in [0, 1].
        actual_score: the score of its own label, in [0, 1].
        neighbours: the nearest pictures of other groups that the head learned from, nearest first.
    """

    picture_jpeg: bytes | None
    name: str
    actual: str
    predicted: str
    score: float
    actual_score: float = 0.0
    neighbours: tuple[Neighbour, ...] = ()


def find_mistakes(
    training: Training, held_out: HeldOut, head: Head, thumbnails: Thumbnails, *, most: int = MOST_MISTAKES
) -> tuple[Mistake, ...]:
    """The mistakes among the held-out answers, highest score first, at most `most`.

    Args:
        training: with the features that `head` reads.
        held_out: the answers.
        head: the one that was measured; it says how features are standardised.
        thumbnails: deals them out.
        most: how many.
    """
    wrong = held_out.most_certain(held_out.predicted != held_out.targets)[:most]
    near = _find_neighbours(training, head, held_out.rows[wrong])
    mistaken = [training.samples[row] for row in held_out.rows[wrong].tolist()]
    thumbnails_of_mistakes = [thumbnails.of(sample) for sample in mistaken]  # they come before those of neighbours
    return tuple(
        Mistake(
            picture_jpeg=jpeg,
            name=sample.name,
            actual=sample.label,
            predicted=training.labels[held_out.predicted[position]],
            score=float(held_out.scores[position]),
            actual_score=float(held_out.probabilities[position, held_out.targets[position]]),
            neighbours=tuple(_neighbour(training, row, likeness, thumbnails) for row, likeness in neighbours),
        )
        for position, sample, jpeg, neighbours in zip(wrong, mistaken, thumbnails_of_mistakes, near, strict=True)
    )


def _find_neighbours(training: Training, head: Head, rows: NDArray[np.int64]) -> Sequence[Sequence[tuple[int, float]]]:
    """For each row, row number and likeness of its neighbours among train and validation."""
    learned = training.rows("train", "validation")
    if not len(rows):
        return []
    standardised = each(training.features, lambda features: (features - head.mean) / head.std)
    return nearest_of_other_groups(standardised, training.groups, of=rows, among=learned, count=NEIGHBOURS)


def _neighbour(training: Training, row: int, likeness: float, thumbnails: Thumbnails) -> Neighbour:
    sample = training.samples[row]
    return Neighbour(thumbnails.of(sample, SMALL_PX), sample.name, sample.label, likeness)
