"""Small grey pictures made like photographs: amplitudes fall with frequency. And the statistics of such pictures."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainer.picture_statistics import GREY_SIDE, StatisticsTable


def make_pictures(count: int, *, side: int = GREY_SIDE, seed: int = 0) -> NDArray[np.uint8]:
    """Different pictures, shape (count, side, side)."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]) * side
    noise = np.fft.fft2(random.normal(size=(count, side, side)))
    pictures = np.fft.ifft2(noise / np.maximum(frequency, 1)).real
    deviation = pictures.std(axis=(1, 2), keepdims=True)
    made: NDArray[np.uint8] = (128 + 40 * pictures / deviation).round().clip(0, 255).astype(np.uint8)
    return made


def shrink(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The small version of larger pictures whose side is a multiple of 32: areas averaged."""
    parts = pictures.shape[1] // GREY_SIDE
    blocks = pictures.reshape(len(pictures), GREY_SIDE, parts, GREY_SIDE, parts)
    small: NDArray[np.uint8] = blocks.mean(axis=(2, 4)).round().astype(np.uint8)
    return small


def statistics_of(grey: NDArray[np.uint8], digests: Sequence[str] = ()) -> StatisticsTable:
    """Statistics that know the small grey pictures only; digests are of the pictures and their rows by default."""
    named = digests or [hashlib.sha256(f"{row}".encode() + one.tobytes()).hexdigest() for row, one in enumerate(grey)]
    return replace(StatisticsTable.of_zeros(named), grey=grey)
