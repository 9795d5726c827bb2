"""Features made by hand, without a network: what any backbone worth its bytes must beat.

Histograms of oriented gradients (Dalal and Triggs 2005: cells, blocks of 2 x 2 cells, clipped norm), which see shapes,
and histograms of hue, saturation and value of the whole picture and of its quarters, which see colours.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.preprocess import PreprocessSpec

SPEC = PreprocessSpec(height=128, width=128, resize=128)

_CELL_PX = 16
_ORIENTATIONS = 9
_CLIP = 0.2
_COLOUR_BINS = (8, 3, 3)  # hue, saturation, value


def handmade_features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (D,) of one picture's pixels (H, W, 3); sides in multiples of 32 px."""
    return np.concatenate([gradient_histograms(pixels), colour_histograms(pixels)]).astype(np.float32)


def gradient_histograms(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """For each block of 2 x 2 cells the strengths of the edges in nine directions, its norm divided out."""
    grey = np.sqrt(pixels.mean(axis=2))
    down, right = np.gradient(grey)
    strength, angle = np.hypot(down, right), np.arctan2(down, right) % np.pi
    place = angle / np.pi * _ORIENTATIONS - 0.5
    lower = np.floor(place)
    share = place - lower
    bins = np.arange(_ORIENTATIONS).reshape(-1, 1, 1)
    votes = strength * ((lower % _ORIENTATIONS == bins) * (1 - share) + ((lower + 1) % _ORIENTATIONS == bins) * share)
    rows, columns = grey.shape[0] // _CELL_PX, grey.shape[1] // _CELL_PX
    cells = votes.reshape(_ORIENTATIONS, rows, _CELL_PX, columns, _CELL_PX).sum((2, 4))
    blocks = np.stack([cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]])
    clipped = np.minimum(_without_norm(blocks), _CLIP)
    return np.asarray(_without_norm(clipped).ravel(), dtype=np.float64)


def colour_histograms(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Square roots of the shares of each hue, saturation and value: in the picture, then in each quarter of it."""
    colours = np.asarray(Image.fromarray(pixels).convert("HSV"))
    middle_row, middle_column = colours.shape[0] // 2, colours.shape[1] // 2
    halves = (
        (slice(None, middle_row), slice(middle_row, None)),
        (slice(None, middle_column), slice(middle_column, None)),
    )
    parts = [colours, *(colours[rows, columns] for rows in halves[0] for columns in halves[1])]
    return np.concatenate([np.sqrt(_histogram(part.reshape(-1, 3))) for part in parts])


def _without_norm(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(cells of a block, orientations, rows, columns), each block scaled to length 1; a flat one stays near 0."""
    norms: NDArray[np.float64] = np.sqrt((blocks**2).sum((0, 1), keepdims=True) + 1.0)
    return np.divide(blocks, norms)


def _histogram(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    counts, _ = np.histogramdd(colours.astype(np.float64), bins=_COLOUR_BINS, range=[(0, 256)] * 3)
    return np.asarray(counts.ravel() / len(colours), dtype=np.float64)
