"""What an explanation is made of: the part of the picture that was seen, patches over it, and heat. Pure; no HTTP.

Source of occlusion: Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks. See decision 0046.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec, seen_box

Method = Literal["class-activation", "occlusion"]

GRID = 7
"""Rows and columns of places that are covered one after the other: as many as common backbones have in their maps."""

PATCH_CELLS = 2.0
"""Side of a patch, in cells of the grid: what covers half of its neighbours leaves no gap between two places."""

OCCLUSION_RUNS = 1 + GRID * GRID
"""The picture as it is, and each place covered."""

_SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Box:
    """A part of the upright picture, in fractions of its width and height; beyond 0 to 1 where it was padded."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Patch:
    """A cell of the grid, and the rows and columns of pixels that are covered for it."""

    row: int
    column: int
    rows: slice
    columns: slice


def box_of(size_px: tuple[int, int], spec: PreprocessSpec) -> Box:
    """What a model sees of an upright picture of (width, height)."""
    left, top, right, bottom = seen_box(size_px, spec)
    width, height = size_px
    return Box(left / width, top / height, right / width, bottom / height)


def patches(spec: PreprocessSpec) -> Iterator[Patch]:
    """GRID x GRID patches in the order of reading; at the edges they end with the picture."""
    rows, columns = _spans(spec.height), _spans(spec.width)
    for row, of_rows in enumerate(rows):
        for column, of_columns in enumerate(columns):
            yield Patch(row, column, of_rows, of_columns)


def _spans(side_px: int) -> list[slice]:
    cell = side_px / GRID
    middles = [(number + 0.5) * cell for number in range(GRID)]
    reach = PATCH_CELLS * cell / 2
    return [slice(max(0, math.floor(at - reach)), min(side_px, math.ceil(at + reach))) for at in middles]


def mean_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of a picture (H, W, 3), shape (3,): what patches have, as it says least about what lay there."""
    colour: NDArray[np.uint8] = np.rint(pixels.mean((0, 1))).astype(np.uint8)
    return colour


def covered(pixels: NDArray[np.uint8], patch: Patch, colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of a picture (H, W, 3) in which a patch has one colour, shape (3,)."""
    copied = pixels.copy()
    copied[patch.rows, patch.columns] = colour
    return copied


def log_odds(probabilities: NDArray[np.float32], label: int) -> float:
    """log(p / (1 - p)) of a label, from probabilities (K,); exact also where p is almost 1."""
    others = float(np.delete(probabilities, label).sum(dtype=np.float64))
    return math.log(max(float(probabilities[label]), _SMALLEST)) - math.log(max(others, _SMALLEST))


def scaled(heat: NDArray[np.floating]) -> NDArray[np.float64]:
    """Heat in [-1, 1], of which the largest magnitude is 1; all 0 where there is none, or it cannot be told."""
    largest = float(np.abs(heat).max(initial=0.0))
    if not (0 < largest < math.inf):
        return np.zeros(heat.shape, np.float64)
    return np.asarray(heat, np.float64) / largest
