"""Many drawn JPEGs, as large and as detailed as photos: smooth areas, edges and grain, no two alike."""

import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from shared.cores import usable_cores
from shared.files import sha256_of_file
from trainer.samples import Sample

PHOTO = (500, 375)
"""Width and height in px of what is drawn where nothing else is said: photos as data sets have them."""

LABELS = 10
_PER_FOLDER = 1_000
_OCTAVES = ((4, 60.0), (12, 40.0), (40, 25.0), (125, 16.0))  # areas across, and how far their brightness goes
_GRAIN = 8.0
_QUALITY = 90


def drawn_pictures(folder: Path, count: int, *, size: tuple[int, int] = PHOTO) -> list[Sample]:
    """The first `count` drawn pictures of a folder, as samples; those that are not there yet are drawn.

    A picture depends on its number and size alone, so a folder that exists is gone on with.

    Args:
        folder: of the pictures, one for each size.
        count: how many.
        size: (width, height) in px.
    """
    paths = [folder / f"{number // _PER_FOLDER:03}" / f"{number:06}.jpg" for number in range(count)]
    lacking = [(number, path) for number, path in enumerate(paths) if not path.exists()]
    for parent in {path.parent for _, path in lacking}:
        parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(usable_cores()) as pool:
        _finish(pool.map(lambda one: _write(one[1], draw(one[0], size)), lacking))
        digests = pool.map(sha256_of_file, paths)
        return [
            Sample(str(path), path.name, f"label-{number % LABELS}", digest, None)
            for number, (path, digest) in enumerate(zip(paths, digests, strict=True))
        ]


def draw(number: int, size: tuple[int, int] = PHOTO) -> Image.Image:
    """The picture of a number: noise of several scales in a few colours, plain shapes with hard edges, grain."""
    random = np.random.default_rng(number)
    bright = np.full((size[1], size[0]), random.uniform(90, 160), dtype=np.float32)
    for across, reach in _OCTAVES:
        down = max(2, across * size[1] // size[0])
        bright += _smooth(random.normal(0, reach, (down, across)).astype(np.float32), size)
    top, left = int(random.integers(size[1])), int(random.integers(size[0]))
    bright += _grain(size)[top : top + size[1], left : left + size[0]]
    grey = Image.fromarray(np.clip(bright, 0, 255).astype(np.uint8))
    gains = random.uniform(0.6, 1.3, 3)
    image = Image.merge("RGB", [grey.point([min(255, int(gain * value)) for value in range(256)]) for gain in gains])
    _add_shapes(image, random)
    return image


def as_jpeg(image: Image.Image) -> bytes:
    """The picture as a file, of the quality that photos are kept in."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


@cache
def _grain(size: tuple[int, int]) -> NDArray[np.float32]:
    """Twice as wide and as high as a picture, so that each begins somewhere else in it."""
    return np.random.default_rng(0).normal(0, _GRAIN, (2 * size[1], 2 * size[0])).astype(np.float32)


def _smooth(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))


def _add_shapes(image: Image.Image, random: np.random.Generator) -> None:
    pencil = ImageDraw.Draw(image)
    for _ in range(6):
        corners = random.uniform(0, 1, (4, 2)) * image.size
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        pencil.polygon([(float(x), float(y)) for x, y in corners[:3]], fill=colour)
        pencil.line([(float(x), float(y)) for x, y in corners[2:]], fill=colour, width=int(random.integers(1, 9)))


def _write(path: Path, image: Image.Image) -> None:
    """Whole or not at all, for a folder is gone on with."""
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(as_jpeg(image))
    temporary.replace(path)


def _finish(work: Iterable[None]) -> None:
    for _ in work:
        pass
