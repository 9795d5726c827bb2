"""Untrusted bytes -> upright RGB image. The one way in for pixels, in training and in serving.

The order is the defence: size limit, magic bytes, header, pixel limit, and only then pixels. Pillow's plugins are
called by name and get the file without what pixels do not need (previews, profiles, text, animation): that is less to
attack, and neither a plugin that nobody chose nor a warning that nobody reads has a say in the result.
"""

import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from shared.bmp_file import RUN_LENGTH_MAX_BYTES, RUN_LENGTH_MAX_PIXELS, is_run_length_encoded
from shared.colours import to_rgb
from shared.errors import PictureCorrupt, PictureError, PictureTooLarge, TooManyPixels, UnknownFormat
from shared.exif import orientation_of
from shared.gif_file import read_gif
from shared.jpeg_file import read_jpeg
from shared.png_file import read_png
from shared.tiff_file import refuse_cut_directory, refuse_fax
from shared.webp_file import webp_size

DECODER_REVISION = 2
"""Raised whenever decode or preprocess may give other pixels than before; part of every feature fingerprint."""

SERVICE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
TRAINER_FORMATS = (*SERVICE_FORMATS, "TIFF")

Size = tuple[int, int]
Plugin = TypeVar("Plugin", bound=ImageFile.ImageFile)

# Pillow's own limit warns through the `warnings` module, which is not thread-safe; ours acts earlier and is an error.
Image.MAX_IMAGE_PIXELS = None
# What it says about odd TIFF tags is an error in `tiff_file` if it matters, and each text would be kept for ever.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")
# What it logs about a file that it then refuses is in the reason of our own error.
logging.getLogger("PIL").setLevel(logging.CRITICAL)

_TRANSPOSE = Image.Transpose
_UPRIGHT_BY = {
    2: _TRANSPOSE.FLIP_LEFT_RIGHT,
    3: _TRANSPOSE.ROTATE_180,
    4: _TRANSPOSE.FLIP_TOP_BOTTOM,
    5: _TRANSPOSE.TRANSPOSE,
    6: _TRANSPOSE.ROTATE_270,
    7: _TRANSPOSE.TRANSVERSE,
    8: _TRANSPOSE.ROTATE_90,
}
_ORIENTATIONS_THAT_SWAP_SIDES = (5, 6, 7, 8)
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 258, 262, 0


@dataclass(frozen=True)
class DecodeLimits:
    """What is accepted: at most `max_bytes` of data, `max_pixels` of picture and `max_side_px` on a side."""

    max_bytes: int = 64 * 1024**2
    max_pixels: int = 100_000_000
    formats: tuple[str, ...] = SERVICE_FORMATS
    max_side_px: int = 65_535  # the most that JPEG and GIF can say; resizing needs memory in proportion to a side


TRAINER_LIMITS = DecodeLimits(max_bytes=256 * 1024**2, max_pixels=250_000_000, formats=TRAINER_FORMATS)


def decode(data: bytes, *, at_least: Size | None = None, limits: DecodeLimits | None = None) -> Image.Image:
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
    if picture_format is None or picture_format not in limits.formats:
        raise UnknownFormat(found=picture_format or _describe(data), accepted=limits.formats)
    try:
        return _DECODERS[picture_format](data, at_least, limits)
    except PictureError:
        raise
    except Exception as error:  # hostile data raises whatever Pillow's parsers happen to trip over
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
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)


def _decode_jpeg(data: bytes, at_least: Size | None, limits: DecodeLimits) -> Image.Image:
    file = read_jpeg(data)
    orientation = orientation_of(file.exif)
    if at_least and orientation in _ORIENTATIONS_THAT_SWAP_SIDES:
        at_least = (at_least[1], at_least[0])
    load = partial(_load_jpeg, at_least=at_least, limits=limits)
    image = load(file.data)
    if (file.doubtful or _may_be_unpainted(image)) and image.tobytes() != load(file.padded()).tobytes():
        raise ValueError("it ends in the middle of its pixels")
    return _upright(to_rgb(image), orientation)


def _load_jpeg(data: bytes, *, at_least: Size | None, limits: DecodeLimits) -> Image.Image:
    image = _open(JpegImagePlugin.JpegImageFile, data, limits)
    if at_least:
        image.draft(None, at_least)
    image.decodermaxblock = len(data)  # at once: between pieces each thread waits for Python's lock
    image.load()
    return image


def _may_be_unpainted(image: Image.Image) -> bool:
    """Whether the last pixel has the medium brightness that libjpeg gives to what it did not find, maybe by chance."""
    last = image.crop((image.width - 1, image.height - 1, *image.size))
    return image.mode == "CMYK" or last.convert("L").getpixel((0, 0)) in (126, 127, 128, 129)


def _decode_png(data: bytes, _at_least: Size | None, limits: DecodeLimits) -> Image.Image:
    file = read_png(data)
    image = _open(PngImagePlugin.PngImageFile, file.data, limits)
    image.load()
    last_row_is_black = image.crop((0, image.height - 1, *image.size)).getbbox() is None
    if (file.interlaced or last_row_is_black) and not file.holds_every_row():
        raise ValueError("rows are missing")
    return _upright(to_rgb(image), orientation_of(file.exif))


def _decode_gif(data: bytes, _at_least: Size | None, limits: DecodeLimits) -> Image.Image:
    file = read_gif(data)
    _refuse_too_many_pixels(file.size, limits)
    image = _open(GifImagePlugin.GifImageFile, file.data, limits)
    image.load()
    if file.frame == (0, 0, *image.size):
        return to_rgb(image)
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(to_rgb(image).crop(file.frame), file.frame)
    return canvas


def _decode_webp(data: bytes, _at_least: Size | None, limits: DecodeLimits) -> Image.Image:
    _refuse_too_many_pixels(webp_size(data), limits)
    image = _open(WebPImagePlugin.WebPImageFile, data, limits)
    image.load()
    return _upright(to_rgb(image), orientation_of(image.info.get("exif", b"")))


def _decode_bmp(data: bytes, _at_least: Size | None, limits: DecodeLimits) -> Image.Image:
    if is_run_length_encoded(data):
        if len(data) > RUN_LENGTH_MAX_BYTES:
            raise PictureTooLarge(found_bytes=len(data), max_bytes=RUN_LENGTH_MAX_BYTES)
        limits = replace(limits, max_pixels=min(limits.max_pixels, RUN_LENGTH_MAX_PIXELS))
    image = _open(BmpImagePlugin.BmpImageFile, data, limits)
    image.load()
    return to_rgb(image)


def _decode_tiff(data: bytes, _at_least: Size | None, limits: DecodeLimits) -> Image.Image:
    refuse_cut_directory(data)
    refuse_fax(data)
    image = _open(TiffImagePlugin.TiffImageFile, data, limits)
    if (
        sum((right - left) * (bottom - top) for left, top, right, bottom in _painted(image))
        < image.width * image.height
    ):
        raise ValueError("strips or tiles are missing")
    tags = image.tag_v2
    grey_white = (1 << max(tags.get(_TIFF_BITS, (16,)))) - 1
    white_is_zero = tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO
    image.load()  # Pillow turns a TIFF upright while it loads it
    return to_rgb(image, grey_white=grey_white, white_is_zero=white_is_zero)


def _painted(image: ImageFile.ImageFile) -> list[tuple[int, int, int, int]]:
    return [tile.extents for tile in image.tile if tile.extents is not None]


_DECODERS: dict[str, Callable[[bytes, Size | None, DecodeLimits], Image.Image]] = {
    "JPEG": _decode_jpeg,
    "PNG": _decode_png,
    "WEBP": _decode_webp,
    "BMP": _decode_bmp,
    "GIF": _decode_gif,
    "TIFF": _decode_tiff,
}


def _open(plugin: type[Plugin], data: bytes, limits: DecodeLimits) -> Plugin:
    image = plugin(io.BytesIO(data))
    _refuse_too_many_pixels(image.size, limits)
    return image


def _refuse_too_many_pixels(size: Size, limits: DecodeLimits) -> None:
    if size[0] * size[1] > limits.max_pixels or max(size) > limits.max_side_px:
        raise TooManyPixels(width=size[0], height=size[1], max_pixels=limits.max_pixels, max_side_px=limits.max_side_px)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT_BY[orientation]) if orientation in _UPRIGHT_BY else image


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
