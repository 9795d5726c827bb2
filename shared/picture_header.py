"""What a picture's file says of itself beside its pixels: format, which way is up, and how large it was stored."""

from dataclasses import dataclass

from shared.decode import sniff_format
from shared.exif import orientation_of
from shared.jpeg_file import jpeg_size_and_exif
from shared.png_file import png_exif
from shared.tiff_file import tiff_orientation
from shared.webp_file import webp_exif

_TURNED_ASIDE = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the bytes say without being decoded.

    Attributes:
        format: by the first bytes: "JPEG", "PNG", ...
        orientation: EXIF orientation, 1 to 8; 1 if there is none.
        scaled_from: (width, height) in px of the upright picture as it is stored, for JPEG, which may be scaled while
            decoding; None for other formats, whose decoded image has that size.
    """

    format: str
    orientation: int
    scaled_from: tuple[int, int] | None


def read_header(data: bytes) -> PictureHeader:
    """Read the header of a picture that `decode` accepts; costs microseconds.

    Raises:
        ValueError: it is no such picture.
    """
    found = sniff_format(data)
    if found is None:
        raise ValueError("no picture format known here")
    if found == "JPEG":
        (width, height), exif = jpeg_size_and_exif(data)
        orientation = orientation_of(exif)
        size = (height, width) if orientation in _TURNED_ASIDE else (width, height)
        return PictureHeader(found, orientation, size)
    return PictureHeader(found, _orientation(found, data), None)


def _orientation(picture_format: str, data: bytes) -> int:
    if picture_format == "PNG":
        return orientation_of(png_exif(data))
    if picture_format == "WEBP":
        return orientation_of(webp_exif(data))
    return tiff_orientation(data) if picture_format == "TIFF" else 1
