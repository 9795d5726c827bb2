"""What a picture looks like in a few numbers: how large, how bright, how sharp, and a small grey version of it.

Taken from the very image that was decoded for the backbone, so a picture is decoded once. Everything is computed in
whole numbers, whatever their type: the same bytes give the same statistics on every machine with the same decoder.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.picture_header import read_header

STATISTICS_REVISION = 1
"""Raised whenever `measure_picture` may give other numbers than before; part of the key of stored statistics."""

GREY_SIDE = 32
WORKING_SIDE = 128
"""Brightness, contrast and sharpness are those of a version of at most this side, so that resolutions compare."""

_HASH_ROWS, _HASH_COLUMNS = 8, 9

Whole = NDArray[np.float64]
"""Whole numbers far below 2^53, so that every sum and product of them is exact, in whatever order a processor adds."""


@dataclass(frozen=True, slots=True)
class PictureStatistics:
    """One picture in numbers.

    Attributes:
        width: of the upright picture as it is stored in the file, in px; decoding may have scaled it.
        height: likewise.
        format: "JPEG", "PNG", ..., by the first bytes of the file.
        orientation: EXIF orientation, 1 to 8; 1 if there is none.
        brightness: mean luma (ITU-R 601), from 0, black, to 255, white.
        contrast: standard deviation of luma, from 0 to 127.5.
        sharpness: variance of the Laplacian of luma at the working size; how much is sharp depends on what is shown.
        difference_hash: 64 bits, row by row: whether an area is brighter than the one to its left, on 8 x 9 areas.
        grey: shape (32, 32), uint8: luma of the whole picture, areas averaged, aspect ignored.
    """

    width: int
    height: int
    format: str
    orientation: int
    brightness: float
    contrast: float
    sharpness: float
    difference_hash: int
    grey: NDArray[np.uint8]


@dataclass(frozen=True)
class StatisticsTable:
    """Statistics of N pictures, a column for each; what they mean is said at `PictureStatistics`.

    Attributes:
        digests: N digests; equal pictures have equal rows.
        width: shape (N,), int64.
        height: shape (N,), int64.
        format: shape (N,), strings.
        orientation: shape (N,), uint8.
        brightness: shape (N,), float64.
        contrast: shape (N,), float64.
        sharpness: shape (N,), float64.
        difference_hash: shape (N,), uint64.
        grey: shape (N, 32, 32), uint8.
    """

    digests: tuple[str, ...]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    format: NDArray[np.str_]
    orientation: NDArray[np.uint8]
    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    difference_hash: NDArray[np.uint64]
    grey: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def all_square(self) -> bool:
        """Whether every picture is as wide as it is high."""
        return bool((self.width == self.height).all())

    @classmethod
    def of_zeros(cls, digests: Sequence[str]) -> "StatisticsTable":
        """A row for each of `digests`, to be filled."""
        shape = len(digests)
        return cls(
            digests=tuple(digests),
            width=np.zeros(shape, dtype=np.int64),
            height=np.zeros(shape, dtype=np.int64),
            format=np.zeros(shape, dtype="<U8"),
            orientation=np.zeros(shape, dtype=np.uint8),
            brightness=np.zeros(shape, dtype=np.float64),
            contrast=np.zeros(shape, dtype=np.float64),
            sharpness=np.zeros(shape, dtype=np.float64),
            difference_hash=np.zeros(shape, dtype=np.uint64),
            grey=np.zeros((shape, GREY_SIDE, GREY_SIDE), dtype=np.uint8),
        )

    @classmethod
    def from_rows(cls, digests: Sequence[str], rows: Sequence[PictureStatistics]) -> "StatisticsTable":
        """The statistics of each of `digests`, in their order."""
        table = cls.of_zeros(digests)
        for index, row in enumerate(rows):
            for column in COLUMNS:
                getattr(table, column)[index] = getattr(row, column)
        return table

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "StatisticsTable":
        """These rows, in this order; a row may be taken twice."""
        chosen = np.asarray(rows, dtype=np.int64)
        columns = {column: getattr(self, column)[chosen] for column in COLUMNS}
        return StatisticsTable(digests=tuple(self.digests[row] for row in chosen), **columns)

    def row(self, index: int) -> PictureStatistics:
        """The statistics at a position."""
        values = {column: getattr(self, column)[index] for column in COLUMNS}
        return PictureStatistics(**{name: one.item() if one.ndim == 0 else one for name, one in values.items()})

    def of(self, digest: str) -> PictureStatistics:
        """The statistics of a picture; the first row of it.

        Raises:
            ValueError: there is no row of it.
        """
        return self.row(self.digests.index(digest))


COLUMNS = tuple(field.name for field in fields(PictureStatistics))
"""What a picture's statistics are, by name; a table has a column of each."""


def measure_picture(data: bytes, image: Image.Image) -> PictureStatistics:
    """Statistics of one picture.

    Args:
        data: the file's content.
        image: what `decode` gives for it, scaled while decoding or not.

    Raises:
        ValueError: `data` is nothing that `decode` accepts.

    Sources: difference hash: N. Krawetz, "Kind of like that" (2013). Sharpness: J. L. Pech-Pacheco et al., "Diatom
    autofocusing in brightfield microscopy: a comparative study" (ICPR 2000).
    """
    header = read_header(data)
    width, height = header.scaled_from or image.size
    pixels = _working_luma(image)
    luma, edges = pixels.astype(np.float64), _laplacian(pixels).astype(np.float64)
    total = int(luma.sum())
    return PictureStatistics(
        width=width,
        height=height,
        format=header.format,
        orientation=header.orientation,
        brightness=total / luma.size,
        contrast=math.sqrt(_variance(luma, total)),
        sharpness=_variance(edges, int(edges.sum())),
        difference_hash=_difference_hash(luma),
        grey=_area_means(luma, GREY_SIDE, GREY_SIDE),
    )


def _working_luma(image: Image.Image) -> NDArray[np.int16]:
    """Luma of at most 128 x 128 px, areas averaged; a smaller side stays as it is, for enlarging would blur it."""
    grey = image.convert("L")
    size = (min(WORKING_SIDE, grey.width), min(WORKING_SIDE, grey.height))
    if size != grey.size:
        grey = grey.resize(size, Image.Resampling.BOX)
    return np.asarray(grey).astype(np.int16)


def _laplacian(luma: NDArray[np.int16]) -> NDArray[np.int16]:
    """Difference of each inner pixel from its four neighbours, 1,020 at most; empty if there is no inner pixel."""
    rows, columns = luma.shape
    if min(rows, columns) < 3:
        return luma[:0]
    # All rows as one line, which is several times as fast; where two of them meet is left out at the end.
    line, inner = luma.ravel(), luma.size - 2 * columns
    around = line[:inner] + line[2 * columns :]
    around += line[columns - 1 : columns - 1 + inner]
    around += line[columns + 1 : columns + 1 + inner]
    around -= line[columns : columns + inner] << 2
    return around.reshape(rows - 2, columns)[:, 1:-1]


def _variance(values: Whole, total: int) -> float:
    """Exact up to the last division; 0 for nothing. `total` is their sum."""
    count = values.size
    if count == 0:
        return 0.0
    squares = int(np.einsum("ij,ij->", values, values))  # not `dot`, whose threads wait for each other
    return (count * squares - total * total) / count**2


def _difference_hash(luma: Whole) -> int:
    sums = _area_sums(luma, _HASH_ROWS, _HASH_COLUMNS)
    brighter = sums[:, 1:] > sums[:, :-1]
    return int.from_bytes(np.packbits(brighter).tobytes(), "big")


def _area_means(luma: Whole, rows: int, columns: int) -> NDArray[np.uint8]:
    sums = _area_sums(luma, rows, columns).astype(np.int64)
    weight = math.prod(side // math.gcd(side, parts) for side, parts in zip(luma.shape, (rows, columns), strict=True))
    means: NDArray[np.uint8] = ((2 * sums + weight) // (2 * weight)).astype(np.uint8)
    return means


def _area_sums(luma: Whole, rows: int, columns: int) -> Whole:
    """Sums over rows x columns equal areas, shape (rows, columns); all have the same weight, so they compare.

    Their borders may cut through pixels: each is split into strips that fit.
    """
    strips = _strips_of(luma.shape[0], rows)
    split = np.repeat(luma, strips, axis=0) if strips > 1 else luma
    bands: Whole = split.reshape(rows, -1, luma.shape[1]).sum(axis=1)
    sums: Whole = bands @ _column_shares(luma.shape[1], columns)
    return sums


@lru_cache(maxsize=16)
def _column_shares(side: int, areas: int) -> Whole:
    """Shape (side, areas): how many strips of each column lie in each area."""
    strips = _strips_of(side, areas)
    area_of = np.arange(side * strips) * areas // (side * strips)
    shares: Whole = np.eye(areas)[area_of].reshape(side, strips, areas).sum(axis=1)
    return shares


def _strips_of(side: int, areas: int) -> int:
    return areas // math.gcd(side, areas)
