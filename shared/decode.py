"""Untrusted bytes -> upright RGB image. The one way in for pixels, in training and in serving.

The order is the defence: size limit, magic bytes, header, pixel limit, and only then pixels.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from shared.errors import PictureCorrupt, PictureTooLarge, TooManyPixels, UnknownFormat

DECODER_REVISION = 1
"""Raised whenever the same bytes may give other pixels; part of every feature fingerprint."""

SERVICE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
TRAINER_FORMATS = (*SERVICE_FORMATS, "TIFF")

# Pillow's own limit warns through the `warnings` module, which is not thread-safe; ours acts earlier and is an error.
Image.MAX_IMAGE_PIXELS = None

_ORIENTATION_TAG = 0x0112
_ORIENTATIONS_THAT_SWAP_SIDES = (5, 6, 7, 8)
_GREY_16_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class DecodeLimits:
    """What is accepted: at most `max_bytes` of data and `max_pixels` of picture, in one of `formats`."""

    max_bytes: int = 64 * 1024**2
    max_pixels: int = 100_000_000
    formats: tuple[str, ...] = SERVICE_FORMATS


TRAINER_LIMITS = DecodeLimits(max_bytes=256 * 1024**2, max_pixels=250_000_000, formats=TRAINER_FORMATS)


def decode(data: bytes, *, at_least: tuple[int, int] | None = None, limits: DecodeLimits | None = None) -> Image.Image:
    """Decode one picture to an upright RGB image.

    Args:
        data: the file's content.
        at_least: (width, height) in px of the upright picture below which a JPEG may not be scaled while
            decoding; None decodes every pixel.
        limits: sizes and formats that are accepted; the service's by default.

    Returns:
        An image of mode RGB, EXIF orientation applied, transparency on white, 16 bits scaled to 8. For animated
        formats the first frame. Colour profiles are not applied, so that every client gives the same pixels.

    Raises:
        PictureTooLarge, UnknownFormat, TooManyPixels: refused before any pixel was decoded.
        PictureCorrupt: truncated, damaged or of an unsupported kind.
    """
    limits = limits or DecodeLimits()
    if len(data) > limits.max_bytes:
        raise PictureTooLarge(found_bytes=len(data), max_bytes=limits.max_bytes)
    picture_format = sniff_format(data)
    if picture_format not in limits.formats:
        raise UnknownFormat(found=picture_format or _describe(data), accepted=limits.formats)
    try:
        image = Image.open(io.BytesIO(data), formats=[picture_format])
    except Exception as error:  # hostile headers raise whatever Pillow's parsers happen to trip over
        raise PictureCorrupt(picture_format=picture_format, detail=_reason(error)) from error
    if image.width * image.height > limits.max_pixels:
        raise TooManyPixels(width=image.width, height=image.height, max_pixels=limits.max_pixels)
    try:
        return _upright_rgb(image, at_least)
    except Exception as error:  # as above, in the pixel data
        raise PictureCorrupt(picture_format=picture_format, detail=_reason(error)) from error


def sniff_format(data: bytes) -> str | None:
    """Name of the picture format that the first bytes announce, or None; file names are never asked."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    for magic, picture_format in _MAGIC:
        if data.startswith(magic):
            return picture_format
    return None


_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)


def _upright_rgb(image: Image.Image, at_least: tuple[int, int] | None) -> Image.Image:
    orientation = _orientation(image)
    if image.format == "JPEG" and at_least is not None:
        if orientation in _ORIENTATIONS_THAT_SWAP_SIDES:
            at_least = (at_least[1], at_least[0])
        image.draft(None, at_least)
    image.load()
    # Pillow has already turned a TIFF upright in load(); asking again finds nothing left to do.
    if orientation != 1 and _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    return _to_rgb(image)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; anything unreadable or out of range counts as upright."""
    try:
        value: Any = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block does not make the pixels unusable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _GREY_16_BIT_MODES or image.mode in ("I", "F"):
        return _deep_grey_to_rgb(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    """Scale grey of more than 8 bits to 8 bits; Pillow's own conversion would clip at 255."""
    values = np.asarray(image, dtype=np.float64)
    highest = 1.0 if image.mode == "F" and values.max(initial=0.0) <= 1.0 else 65535.0
    if not np.isfinite(values).all() or values.min(initial=0.0) < 0 or values.max(initial=0.0) > highest:
        raise ValueError(f"grey values outside 0 to {highest:g}")
    grey = np.rint(values * (255.0 / highest)).astype(np.uint8)
    return Image.fromarray(grey, mode="L").convert("RGB")


def _describe(data: bytes) -> str:
    if not data:
        return "an empty file"
    if data[:1] == b"<" or data[:5] == b"\xef\xbb\xbf<?":
        return "text or SVG"
    if data[4:8] == b"ftyp":
        return "HEIC, AVIF or a video"
    return f"no picture format known here (first bytes {data[:4].hex(' ')})"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
