"""What a file says of itself agrees with what decoding it shows."""

import pytest

from shared.decode import TRAINER_FORMATS, TRAINER_LIMITS, decode
from shared.picture_header import read_header
from tests.shared.pictures import encode, exif_block, scene

TURNED = ("JPEG", "PNG", "WEBP", "TIFF")


def turned(picture_format: str, orientation: int, **options: object) -> bytes:
    """A picture of 96 x 64 stored px with an EXIF orientation."""
    block = exif_block(orientation) if picture_format in ("JPEG", "PNG") else exif_block(orientation)[6:]
    if picture_format == "TIFF":
        return encode(scene(), "TIFF", tiffinfo={274: orientation}, **options)
    return encode(scene(), picture_format, exif=block, **options)


@pytest.mark.parametrize("picture_format", TRAINER_FORMATS)
def test_the_format_is_that_of_the_bytes_and_a_plain_picture_is_upright(picture_format: str) -> None:
    header = read_header(encode(scene(), picture_format))

    assert (header.format, header.orientation) == (picture_format, 1)


@pytest.mark.parametrize("picture_format", TURNED)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_the_one_that_decoding_goes_by(picture_format: str, orientation: int) -> None:
    data = turned(picture_format, orientation)

    assert read_header(data).orientation == orientation
    assert decode(data, limits=TRAINER_LIMITS).size == ((64, 96) if orientation >= 5 else (96, 64))


def test_the_orientation_of_a_large_tiff_is_read_too() -> None:
    assert read_header(turned("TIFF", 6, big_tiff=True)).orientation == 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_tells_its_upright_size_though_it_was_scaled_while_decoding(orientation: int) -> None:
    data = encode(scene(400, 240), "JPEG", exif=exif_block(orientation))

    assert decode(data, at_least=(30, 30)).size != decode(data).size
    assert read_header(data).scaled_from == decode(data).size


@pytest.mark.parametrize("picture_format", [name for name in TRAINER_FORMATS if name != "JPEG"])
def test_other_formats_are_never_scaled(picture_format: str) -> None:
    assert read_header(encode(scene(), picture_format)).scaled_from is None


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\xff\xd8\xff\xd9", encode(scene(), "JPEG")[:30]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"known|pixels|segment"):
        read_header(data)
