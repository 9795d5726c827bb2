"""A folder, zip or tar of unlabelled pictures -> square crops, each drawn the same way every time."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")

_SMALLEST_AREA = 0.5  # smaller crops of small pictures are mostly blur
_COLOUR_JITTER = 0.3


class Picture(NamedTuple):
    """One encoded picture and how to read it."""

    name: str
    read: Callable[[], bytes]
    size: int  # bytes
    crc: int  # CRC-32 of the bytes, as zip has it

    @classmethod
    def of(cls, name: str, read: Callable[[], bytes]) -> "Picture":
        """Read once, to know its content again."""
        data = read()
        return cls(name, read, len(data), zlib.crc32(data))


def list_pictures(sources: Sequence[Path]) -> list[Picture]:
    """Every picture of the folders and archives, in a fixed order: as the sources are given, by name inside each.

    Raises:
        FileNotFoundError: a source is missing or holds no picture.
        ValueError: a source is neither folder nor zip nor tar, or a compressed tar.
    """
    pictures = []
    for source in sources:
        found = sorted(_pictures_of(source), key=lambda picture: picture.name)
        if not found:
            raise FileNotFoundError(f"{source}: no pictures there; expected files that end in {', '.join(SUFFIXES)}")
        pictures += found
    return pictures


def shuffle_pictures(pictures: Sequence[Picture], seed: int) -> list[Picture]:
    """The same pictures in an order that says nothing, so that any stretch of the list is a fair sample of it."""
    return [pictures[row] for row in np.random.default_rng(seed).permutation(len(pictures))]


def draw_crop(data: bytes, *, sizes: Sequence[int], rng: np.random.Generator, whole: bool) -> list[NDArray[np.uint8]]:
    """One random crop, rendered at several sizes: the student must see just what the teacher saw.

    Args:
        data: an encoded picture; turned upright as its EXIF says.
        sizes: the sides in px to render.
        rng: decides place, area and colours.
        whole: take the largest square, without changing colours.

    Returns:
        One array of shape (size, size, 3) for each size.
    """
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    box = _draw_box(image, rng, 1.0 if whole else rng.uniform(_SMALLEST_AREA, 1.0))
    if not whole:
        image = _jitter(image, rng)
    return [np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box)) for size in sizes]


def _pictures_of(source: Path) -> Iterator[Picture]:
    if source.is_dir():
        files = (path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        yield from (Picture.of(path.relative_to(source).as_posix(), path.read_bytes) for path in files)
    elif zipfile.is_zipfile(source):
        archive = zipfile.ZipFile(source)  # stays open with its pictures: reading its directory takes 15 ms
        members = (member for member in archive.infolist() if _is_picture(member.filename))
        yield from (
            Picture(member.filename, partial(archive.read, member), member.file_size, member.CRC) for member in members
        )
    else:
        yield from (
            Picture.of(member.name, partial(_read_range, source, member.offset_data, member.size))
            for member in _members_of_tar(source)
        )


def _members_of_tar(source: Path) -> list[tarfile.TarInfo]:
    try:
        with tarfile.open(source, "r:") as tar:  # uncompressed: pictures are read at their offsets in the file
            return [member for member in tar if member.isfile() and _is_picture(member.name)]
    except tarfile.ReadError as error:
        raise ValueError(
            f"{source} is neither a folder nor a zip nor an uncompressed tar ({error}); "
            "unpack it, or pack it again without compression: pictures do not get smaller by it"
        ) from error


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _read_range(source: Path, offset: int, size: int) -> bytes:
    with source.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _draw_box(image: Image.Image, rng: np.random.Generator, area: float) -> tuple[float, float, float, float]:
    side = min(image.size) * float(area) ** 0.5
    left, top = rng.uniform(0, image.width - side), rng.uniform(0, image.height - side)
    return (left, top, left + side, top + side)


def _jitter(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(1 - _COLOUR_JITTER, 1 + _COLOUR_JITTER))
    return image
