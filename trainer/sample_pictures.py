"""The pictures for a first run: procedural concrete, cracked and uncracked, the task of ML.NET's tutorial.

They are drawn by a program, so they teach how Finial works, not what real concrete looks like. The surfaces of both
classes are drawn alike, with joints, stains, scratches and pores that are as dark and as sharp as cracks; what tells
the classes apart is the shape of a crack, not the brightness or the number of edges of a picture.
"""

import io
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from shared.files import write_atomically
from trainer.concrete import draw_surface, light
from trainer.cracks import draw_cracks, draw_marks
from trainer.errors.sources import FolderNotEmpty
from trainer.progress import Progress, Quiet

CRACKED, UNCRACKED = _LABELS = ("cracked", "uncracked")
_JPEG_QUALITY = 85
# By cracked or not: marks make up for the dark, sharp pixels that cracks add, so that counting those tells nothing.
_SHARE_WITH_MARKS = {False: 0.65, True: 0.1}


def write_sample_pictures(
    folder: Path, *, per_class: int = 150, seed: int = 0, size: int = 256, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Write cracked/ and uncracked/ with `per_class` JPEG pictures each; the same seed gives the same bytes.

    Args:
        folder: made if need be; other pictures in it would become a class of their own, so there may be none.
        per_class: how many of each; more of them leave the first ones as they are.
        seed: another seed, other pictures.
        size: side of each picture in px.
        progress: shows a phase named draw; silent by default.

    Returns:
        The files.

    Raises:
        FolderNotEmpty: something else lies in the folder.
        OSError: the folder cannot be written.
    """
    wanted = [(folder / label / f"{number:04}.jpg", number) for label in _LABELS for number in range(per_class)]
    if others := _others(folder, {path for path, _ in wanted}):
        raise FolderNotEmpty(folder, others)
    for label in _LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
    with (progress or Quiet()).phase("draw", total=len(wanted)) as phase:
        for path, number in wanted:
            _write_new(path, draw_sample(number, cracked=path.parent.name == CRACKED, seed=seed, size=size), folder)
            phase.advance()
    return tuple(path for path, _ in wanted)


def _others(folder: Path, wanted: Collection[Path]) -> list[str]:
    """What lies in the folder that is none of the wanted files, by relative name; hidden files do not count."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path not in wanted)
    names = (path.relative_to(folder).as_posix() for path in found)
    return [name for name in names if not name.rpartition("/")[2].startswith(".")]


def _write_new(path: Path, picture: bytes, folder: Path) -> None:
    """Write a picture; one that is there already must be the very same, for it may be somebody's own."""
    if not path.exists():
        write_atomically(path, picture)
    elif path.read_bytes() != picture:
        raise FolderNotEmpty(folder, [path.relative_to(folder).as_posix()])


def draw_sample(number: int, *, cracked: bool, seed: int, size: int) -> bytes:
    """One picture as JPEG; a function of its arguments alone."""
    rng = np.random.default_rng([seed, number, int(cracked)])
    surface = draw_surface(rng, size)
    if cracked:
        surface *= 1 - draw_cracks(rng, size)
    if rng.random() < _SHARE_WITH_MARKS[cracked]:
        surface *= 1 - draw_marks(rng, size)
    noise = rng.uniform(0.002, 0.02) * rng.standard_normal(surface.shape, dtype=np.float32)
    tint = 1 + rng.uniform(-0.03, 0.05) * np.array([1, 0.25, -1], dtype=np.float32)
    pixels = np.clip((surface * light(rng, size) + noise)[:, :, None] * (255 * tint), 0, 255).astype(np.uint8)
    return _as_jpeg(rng, Image.fromarray(pixels))


def _as_jpeg(rng: Generator, image: Image.Image) -> bytes:
    if rng.random() < 0.5:  # not every photograph is sharp
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9) * image.width / 256))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=_JPEG_QUALITY)
    return data.getvalue()
