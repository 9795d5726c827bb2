from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.evaluation import evaluate
from trainer.head import Head
from trainer.held_out import HeldOut
from trainer.mistakes import find_mistakes
from trainer.mix_ups import frequent_mix_ups, picture_mix_ups
from trainer.samples import Sample
from trainer.thumbnails import Thumbnails
from trainer.training import Training

LABELS = ("cat", "dog", "eel")
TARGETS = np.array([0, 0, 0, 1, 1, 2, 0, 1])
ANSWERS = np.array([[0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.8, 0.1, 0.1], [0.1, 0.9, 0.0]], np.float32)


@pytest.fixture
def training(tmp_path: Path) -> Training:
    """Rows 0, 1, 2 and 3 are the test split; 0 has a copy at 6, in its group; rows 4 to 7 were learned from."""
    samples = []
    for row, target in enumerate(TARGETS.tolist()):
        Image.new("RGB", (40, 30), (20 * row, 90, 90)).save(tmp_path / f"{row}.png")
        samples.append(Sample(str(tmp_path / f"{row}.png"), f"{row}.png", LABELS[target], f"{row:064}", None))
    features = np.array([[9, 0], [8, 1], [0, 1], [1, 9], [7, 1], [0, -1], [9, 0], [1, 5]], np.float32)
    splits = ("test",) * 4 + ("train", "validation", "train", "train")
    return Training(tuple(samples), LABELS, features, TARGETS, tuple("abcdefah"), splits)  # type: ignore[arg-type]


HELD_OUT = HeldOut(np.arange(4), TARGETS[:4], ANSWERS)
HEAD = Head(np.zeros((2, 3), np.float32), np.zeros(3, np.float32), np.zeros(2, np.float32), np.ones(2, np.float32))


def test_the_most_frequent_mix_ups_come_first_and_the_rarer_label_among_equals() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]], np.float32)
    test = evaluate(probabilities, np.array([0, 0, 0, 2]), ("a", "b", "c"))

    assert [(one.actual, one.predicted, one.count, one.of) for one in frequent_mix_ups(test, 9)] == [
        ("c", "a", 1, 1),
        ("a", "b", 1, 3),
    ]


def test_a_mix_up_shows_the_mistaken_beside_the_recognised(training: Training) -> None:
    mix_ups = frequent_mix_ups(evaluate(ANSWERS, TARGETS[:4], LABELS), 6)

    (pictured,) = picture_mix_ups(mix_ups, training, HELD_OUT, Thumbnails())

    assert (pictured.mix_up.actual, pictured.mix_up.predicted, pictured.mix_up.count) == ("cat", "dog", 2)
    assert [one.name for one in pictured.mistaken] == ["0.png", "1.png"], "the most certain first"
    assert [one.name for one in pictured.recognised] == ["3.png"]
    assert all(one.picture_jpeg for one in pictured.mistaken + pictured.recognised)


def test_neighbours_were_learned_from_and_are_never_of_the_same_group(training: Training) -> None:
    """A copy of the picture itself would say nothing; a picture of the test split was not learned from."""
    first, second = find_mistakes(training, HELD_OUT, HEAD, Thumbnails())

    assert (first.name, first.predicted, round(first.score, 1), round(first.actual_score, 1)) == (
        "0.png",
        "dog",
        0.8,
        0.1,
    )
    assert [one.name for one in first.neighbours] == ["4.png", "7.png", "5.png"]
    assert first.neighbours[0].likeness == pytest.approx(7 / 50**0.5)
    assert [one.name for one in second.neighbours] == ["4.png", "6.png", "7.png"], "of another group it is one"


def test_likeness_is_that_of_standardised_features(training: Training) -> None:
    """A feature that varies a thousand times as widely as the others must not decide alone."""
    wide = replace(training, features=training.features * np.array([1000, 1], np.float32))
    head = replace(HEAD, std=np.array([1000, 1], np.float32))

    plain, rescaled = (
        find_mistakes(one, HELD_OUT, of, Thumbnails(allowed=False)) for one, of in ((training, HEAD), (wide, head))
    )

    assert [one.name for one in plain[0].neighbours] == [one.name for one in rescaled[0].neighbours]


def test_no_mistake_has_no_neighbours_to_look_for(training: Training) -> None:
    right = HeldOut(np.arange(2, 4), TARGETS[2:4], ANSWERS[2:])

    assert find_mistakes(training, right, HEAD, Thumbnails()) == ()
