"""What a small grey picture is recognised by: its pattern, which brightness, contrast and fine noise are no part of.

A pattern is the low frequencies of the picture (a discrete cosine transform), each weighted by its frequency.
Photographs have amplitudes that fall with frequency, so that without the weights any two pictures with light above
and dark below would be alike; with them, patterns of different pictures are nearly uncorrelated.
"""

import math

import numpy as np
from numpy.typing import NDArray

from trainer.picture_statistics import GREY_SIDE

FREQUENCY_COUNT = 12
"""Frequencies below this are used: what re-encoding and resizing leave as it is."""

MOST_CROPPED = 0.06
"""The share of a side up to which a copy may be cropped on each edge, and still be found."""

TURN_COUNT = 8
"""The orientations of a picture: as it is (0) or mirrored, each as it is or turned by quarters."""

_EDGES = (0.0, MOST_CROPPED / 2, MOST_CROPPED)
_WEIGHTED_UP_TO = 10
_LEAST_DETAIL = 0.5
_LEAST_SPREAD = 3.0
_DETAIL_FROM = 3
_COARSE_BELOW = 9
_TINY = np.float32(1e-6)


def patterns_of(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The pattern of each picture, shape (N, F), rows of length 1.

    Args:
        grey: shape (N, 32, 32).
    """
    return _of_length_1(_spectrum(grey) * _WEIGHTS)


def correlate_with_crops(patterns: NDArray[np.float32], grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The correlation of each pattern with the other picture that it fits best, shape (N,).

    Args:
        patterns: shape (N, F).
        grey: shape (N, 32, 32); tried whole and in 80 crops, 0, 3 or 6 % off each edge.
    """
    weighted = np.zeros((len(patterns), len(_WEIGHT_GRID), 1), dtype=np.float32)
    weighted[:, _USED, 0] = patterns * _WEIGHTS
    spectra = _spectra(grey, _CROPS)
    products = np.matmul(spectra, weighted)[..., 0]
    energies = np.matmul(spectra * spectra, _WEIGHT_GRID**2)
    best: NDArray[np.float32] = (products / np.maximum(np.sqrt(energies), _TINY)).max(axis=1)
    return best


def coarse(patterns: NDArray[np.float32]) -> NDArray[np.float32]:
    """The lower frequencies of patterns (N, F), rows of length 1: faster to search, and cropping moves them less."""
    return _of_length_1(patterns[:, _FREQUENCY < _COARSE_BELOW])


def turned(patterns: NDArray[np.float32]) -> NDArray[np.float32]:
    """The patterns of each picture in its 8 orientations, shape (N, 8, F); the first is the picture as it is."""
    return patterns[:, _TURN_ORDER] * _TURN_SIGNS


def correlate_turned(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """The correlation of each first pattern in its 8 orientations with the second as it is: (N, F) twice -> (N, 8)."""
    signs = _TURN_SIGNS[:_TRANSPOSED].T
    swapped = first[:, _TURN_ORDER[_TRANSPOSED]]
    return np.concatenate([(first * second) @ signs, (swapped * second) @ signs], axis=1)


def unturned(turn: NDArray[np.int64]) -> NDArray[np.int64]:
    """The orientation that takes a picture back from each of these."""
    return _UNTURNED[turn]


def turnless(patterns: NDArray[np.float32]) -> NDArray[np.float32]:
    """What of the patterns is the same in all orientations, shape (N, F), rows of length 1.

    Mirroring changes signs, turning swaps rows and columns: amplitudes, and of each pair of amplitudes that turning
    swaps their sum and difference, stay. Their mean over all pictures says nothing about one and is taken off.
    """
    amplitudes = np.abs(patterns)
    swapped = amplitudes[:, _TURN_ORDER[_TRANSPOSED]]
    same = np.where(_ROWS < _COLUMNS, np.abs(amplitudes - swapped), amplitudes + swapped)
    return _of_length_1(same - same.mean(axis=0)) if len(same) else same


def are_telling(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pictures show enough to be recognised, shape (N,): an even wall or a shading is like any other.

    There must be detail, half a grey level of it, and the pattern must be spread over three frequencies or more
    (counted as the square of the sum of energies over the sum of their squares).
    """
    spectrum = _spectrum(grey)
    detail = np.sqrt((spectrum[:, _FREQUENCY > _DETAIL_FROM] ** 2).sum(axis=1)) / GREY_SIDE
    energy = (spectrum * _WEIGHTS) ** 2
    spread = energy.sum(axis=1) ** 2 / np.maximum((energy**2).sum(axis=1), _TINY)
    telling: NDArray[np.bool_] = (detail >= _LEAST_DETAIL) & (spread >= _LEAST_SPREAD)
    return telling


def stretched(crop_start: float, crop_end: float) -> NDArray[np.float64]:
    """The (32, 32) matrix that crops these shares off the ends of a line of 32 px and stretches it, linearly."""
    centres = (np.arange(GREY_SIDE) + 0.5) / GREY_SIDE
    places = np.clip((crop_start + centres * (1 - crop_start - crop_end)) * GREY_SIDE - 0.5, 0, GREY_SIDE - 1)
    left = np.minimum(places.astype(np.int64), GREY_SIDE - 2)
    matrix = np.zeros((GREY_SIDE, GREY_SIDE))
    matrix[np.arange(GREY_SIDE), left] = 1 - (places - left)
    matrix[np.arange(GREY_SIDE), left + 1] = places - left
    return matrix


def _spectrum(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Amplitudes of the frequencies that are used, shape (N, F)."""
    return _spectra(grey, _CROPS[:1])[:, 0, _USED]


def _spectra(grey: NDArray[np.uint8], crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Amplitudes of all low frequencies of each picture in each pair of crops, shape (N, crops x crops, 144)."""
    lines, count = crops.reshape(-1, GREY_SIDE), len(crops)
    rows = (lines @ grey.astype(np.float32)).reshape(-1, GREY_SIDE)
    blocks = rows @ np.ascontiguousarray(lines.T)  # one large product; numpy's own loop over small ones takes long
    by_crop = blocks.reshape(-1, count, FREQUENCY_COUNT, count, FREQUENCY_COUNT).transpose(0, 1, 3, 2, 4)
    return by_crop.reshape(-1, count * count, FREQUENCY_COUNT**2)


def _of_length_1(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt((rows * rows).sum(axis=-1, keepdims=True))
    scaled: NDArray[np.float32] = rows / np.maximum(length, _TINY)
    return scaled


def _cosines() -> NDArray[np.float64]:
    frequency, place = np.arange(FREQUENCY_COUNT)[:, None], np.arange(GREY_SIDE)[None]
    cosines: NDArray[np.float64] = np.cos(math.pi * frequency * (place + 0.5) / GREY_SIDE)
    return cosines * np.where(frequency == 0, math.sqrt(1 / GREY_SIDE), math.sqrt(2 / GREY_SIDE))


def _turns() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each orientation, where each amplitude comes from and its sign."""
    place = {pair: index for index, pair in enumerate(zip(_ROWS.tolist(), _COLUMNS.tolist(), strict=True))}
    as_it_is = np.arange(len(_ROWS))
    swapped = np.array([place[column, row] for row, column in place])
    signs = [(-1.0) ** (_ROWS * down + _COLUMNS * across) for down in (0, 1) for across in (0, 1)]
    return np.array([as_it_is] * 4 + [swapped] * 4), np.array(signs * 2, dtype=np.float32)


_CROPS = np.array([_cosines() @ stretched(start, end) for start in _EDGES for end in _EDGES], dtype=np.float32)
_GRID = np.hypot(*np.mgrid[:FREQUENCY_COUNT, :FREQUENCY_COUNT]).ravel()
_WEIGHT_GRID = np.where(_GRID < FREQUENCY_COUNT, np.minimum(_GRID, _WEIGHTED_UP_TO), 0).astype(np.float32)
_USED = np.flatnonzero(_WEIGHT_GRID)
_FREQUENCY = _GRID[_USED]
_ROWS, _COLUMNS = np.divmod(_USED, FREQUENCY_COUNT)
_WEIGHTS = _WEIGHT_GRID[_USED]
_TURN_ORDER, _TURN_SIGNS = _turns()
_TRANSPOSED = 4
_UNTURNED = np.array([0, 1, 2, 3, 4, 6, 5, 7])
