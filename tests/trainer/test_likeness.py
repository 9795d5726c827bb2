"""trainer/patterns.py and likeness.py: a copy is recognised however it was changed, and what differs is not."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trainer.grey_pictures import make_pictures, shrink
from trainer.likeness import correlate
from trainer.patterns import are_telling, patterns_of, turned, turnless

LARGE = make_pictures(30, side=320)
SMALL = shrink(LARGE)

Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def cropped(top: int, bottom: int, left: int, right: int) -> Change:
    """These many of 320 px off each edge, and stretched to the whole again."""

    def crop(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows = np.linspace(top, 319 - bottom, 320).round().astype(int)
        columns = np.linspace(left, 319 - right, 320).round().astype(int)
        return pictures[:, rows[:, None], columns[None]]

    return crop


def brightened(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (pictures * 1.3).clip(0, 255).astype(np.uint8)


def with_less_contrast(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (pictures * 0.3 + 100).astype(np.uint8)


def noisy(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(0, 12, pictures.shape)
    return (pictures + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        brightened,
        with_less_contrast,
        noisy,
        cropped(19, 0, 0, 0),
        cropped(0, 0, 10, 19),
        cropped(9, 9, 9, 9),
        cropped(15, 0, 0, 15),
    ],
)
def test_a_changed_copy_is_like_its_original(change: Change) -> None:
    correlations, turns = correlate(SMALL, shrink(change(LARGE)))

    assert correlations.min() > 0.9
    assert not turns.any()


@pytest.mark.parametrize("turn", range(1, 8))
def test_a_mirrored_or_turned_copy_is_like_its_original(turn: int) -> None:
    """In two splits it is the same evidence as a copy: the mirrored pictures of an augmented data set."""
    changed = np.rot90(LARGE[:, :, ::-1] if turn % 2 else LARGE, turn // 2, axes=(1, 2))

    correlations, turns = correlate(SMALL, shrink(changed))

    assert correlations.min() > 0.99
    assert turns.all() and len(set(turns.tolist())) == 1


@pytest.mark.parametrize("change", [cropped(19, 5, 0, 12), lambda pictures: np.rot90(pictures, axes=(1, 2))])
def test_likeness_is_the_same_whichever_picture_is_the_first(change: Change) -> None:
    copies = shrink(change(LARGE))

    assert np.array_equal(correlate(SMALL, copies)[0], correlate(copies, SMALL)[0])


def test_different_pictures_are_not_alike() -> None:
    """Even aligned in the best of 8 orientations and 81 crops."""
    assert correlate(SMALL[:-1], SMALL[1:])[0].max() < 0.6


def test_light_from_above_makes_no_two_pictures_alike() -> None:
    """Without the weights of the pattern, a common shading would outweigh what the pictures show."""
    shading = np.linspace(-60, 60, 32)[None, :, None]
    shaded = (128 + (SMALL - 128.0) / 4 + shading).clip(0, 255).astype(np.uint8)

    assert correlate(shaded[:-1], shaded[1:])[0].max() < 0.8


def test_a_pattern_is_of_length_1_and_its_first_orientation_is_itself() -> None:
    patterns = patterns_of(SMALL)

    assert np.allclose(np.linalg.norm(patterns, axis=1), 1, atol=1e-5)
    assert np.array_equal(turned(patterns)[:, 0], patterns)


def test_the_turnless_part_of_a_pattern_is_the_same_in_all_orientations() -> None:
    every = np.concatenate(
        [np.rot90(SMALL[:, :, ::-1] if flip else SMALL, k, (1, 2)) for flip in (0, 1) for k in range(4)]
    )

    rows = turnless(patterns_of(every)).reshape(8, len(SMALL), -1)

    assert np.allclose(rows, rows[:1], atol=1e-3)
    assert (rows[0] @ rows[0].T - np.eye(len(SMALL))).max() < 0.7


def test_pictures_of_nothing_are_not_telling() -> None:
    random, ramp = np.random.default_rng(0), np.linspace(-1, 1, 32)
    noise = random.normal(0, 0.5, (3, 32, 32))
    nothing = [noise[0] + 200, noise[1] + 128 + 40 * ramp[:, None], noise[2] + 90 + 10 * ramp[:, None] * ramp[None]]

    assert not are_telling(np.stack(nothing).round().astype(np.uint8)).any()
    assert are_telling(SMALL).all()
