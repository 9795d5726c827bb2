"""Pictures to decode: made here, byte by byte where an encoder would be too polite."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

END_OF_IMAGE = b"\xff\xd9"


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """A picture without symmetry and without flat parts, so that turning or cutting it shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    ramps = np.stack([columns * 255 / width, rows * 255 / height, (columns + rows) % 256], axis=-1)
    return Image.fromarray(np.clip(ramps + noise, 0, 255).astype(np.uint8))


def encode(image: Image.Image, picture_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, picture_format, **options)
    return buffer.getvalue()


def exif_block(orientation: int, order: str = ">") -> bytes:
    """An EXIF block that says nothing but the orientation."""
    magic = b"MM\x00*" if order == ">" else b"II*\x00"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + magic + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(
    width: int,
    height: int,
    rows: Sequence[bytes],
    *,
    depth: int = 8,
    colour_type: int = 2,
    interlace: int = 0,
    before_pixels: bytes = b"",
) -> bytes:
    """A PNG of exactly these raw rows, without filters; there may be fewer than `height`."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = png_chunk(b"IHDR", header) + before_pixels + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def gif(*, screen: tuple[int, int], frame: tuple[int, int, int, int], before_frame: bytes = b"") -> bytes:
    """A GIF of one frame (left, top, width, height) of at most 4 px, red on a black and red table."""
    header = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\0\0"
    return header + before_frame + b"," + struct.pack("<HHHHB", *frame, 0) + b"\x02\x03\x4c\x12\x05\x00;"


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


def largest_difference(found: Image.Image, expected: Image.Image) -> int:
    """Between any two samples of two pictures of the same size."""
    return int(np.abs(pixels_of(found).astype(int) - pixels_of(expected).astype(int)).max())
