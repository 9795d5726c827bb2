"""JPEG: what is cut off is an error, never grey; what pixels do not need never reaches the decoder."""

import re
import struct
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from shared.decode import decode
from shared.errors import PictureCorrupt
from shared.jpeg_file import MAX_SCANS, read_jpeg
from tests.shared.pictures import END_OF_IMAGE, encode, largest_difference, pixels_of, scene

KINDS = {
    "4:2:0": {"quality": 85},
    "4:4:4": {"quality": 95, "subsampling": 0},
    "grey": {"quality": 85},
    "restarts": {"quality": 85, "restart_marker_blocks": 5},
    "progressive": {"quality": 85, "progressive": True},
    "optimised": {"quality": 60, "optimize": True},
}
UNIT_PX = 16


def picture(kind: str) -> bytes:
    image = scene(150, 110)
    return encode(image.convert("L") if kind == "grey" else image, "JPEG", **KINDS[kind])


def scan_start(data: bytes) -> int:
    return data.index(b"\xff\xda")


def scans_of(data: bytes) -> list[int]:
    """Where each scan of a progressive file starts, its tables included."""
    first = scan_start(data)
    return [first, *(match.start() for match in re.finditer(b"\xff\xc4", data) if match.start() > first)]


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", [b"", bytes(4000), b"\xff"], ids=["cut", "cut and filled with zeros", "half a marker"])
def test_a_cut_jpeg_is_refused_wherever_it_is_cut(kind: str, tail: bytes) -> None:
    """A download that stopped, or a file that was allocated and never written to its end."""
    data = picture(kind)

    for cut in [*range(3, len(data) - 40, 61), *range(len(data) - 40, len(data) - 2)]:
        with pytest.raises(PictureCorrupt):
            decode(data[:cut] + tail)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
def test_a_cut_scan_with_an_end_marker_is_refused_unless_only_its_last_unit_is_damaged(kind: str) -> None:
    """Programs that repair a file append the marker; libjpeg then paints grey and only warns.

    A scan that ends in the middle of the last coded unit cannot be told from a whole one without decoding every
    file twice.
    """
    data = picture(kind)
    whole = pixels_of(decode(data))

    pixels_end = len(data) - 2
    for cut in [*range(scan_start(data) + 20, pixels_end - 60, len(data) // 50), *range(pixels_end - 60, pixels_end)]:
        try:
            found = pixels_of(decode(data[:cut] + END_OF_IMAGE))
        except PictureCorrupt:
            continue
        rows, columns = np.nonzero((found != whole).any(axis=-1))
        last_unit = [(side - 1) // UNIT_PX * UNIT_PX - UNIT_PX // 2 for side in whole.shape[:2]]
        assert rows.min(initial=whole.shape[0]) >= last_unit[0]
        assert columns.min(initial=whole.shape[1]) >= last_unit[1]


def test_a_progressive_jpeg_that_is_cut_in_any_but_its_last_scan_is_refused_despite_its_end_marker() -> None:
    """In the last one, only the finest detail is lost. A file that stops between two scans is legal."""
    data = picture("progressive")

    for start, end in pairwise(scans_of(data)):
        assert decode(data[:end] + END_OF_IMAGE).size == (150, 110)
        pixels = data.index(b"\xff\xda", start) + 14
        for cut in (pixels + 2, (pixels + end) // 2):
            with pytest.raises(PictureCorrupt):
                decode(data[:cut] + END_OF_IMAGE)


def test_a_cut_cmyk_jpeg_with_an_end_marker_is_refused() -> None:
    data = encode(scene(150, 110).convert("CMYK"), "JPEG", quality=85)

    with pytest.raises(PictureCorrupt, match="ends in the middle of its pixels"):
        decode(data[: len(data) * 2 // 3] + END_OF_IMAGE)


def test_lost_restart_intervals_in_the_middle_are_refused() -> None:
    """Cameras on a network lose them; libjpeg paints the hole grey."""
    data = picture("restarts")
    third, sixth = data.index(b"\xff\xd2"), data.index(b"\xff\xd5")

    with pytest.raises(PictureCorrupt, match="missing in the middle"):
        decode(data[:third] + data[sixth:])


def test_a_picture_that_is_really_grey_at_its_end_is_accepted() -> None:
    """Medium grey is only a reason to look twice."""
    for mode in ("RGB", "L"):
        grey = Image.new("RGB", (64, 48), (128, 128, 128)).convert(mode)

        assert set(pixels_of(decode(encode(grey, "JPEG"))).ravel()) == {128}


def test_a_file_with_hundreds_of_scans_is_refused() -> None:
    """Each scan is a pass over all pixels: 10 MB can hold a hundred thousand."""
    data = picture("progressive")
    last_scan = data[data.rindex(b"\xff\xda") : -2]

    with pytest.raises(PictureCorrupt, match=f"more than {MAX_SCANS} scans"):
        decode(data[:-2] + last_scan * MAX_SCANS + END_OF_IMAGE)


def test_a_progressive_jpeg_without_its_colours_is_refused() -> None:
    """It would be decoded as a grey picture."""
    data = picture("progressive")
    first, second = scans_of(data)[:2]
    only_brightness = data[:first] + bytes.fromhex("ffda00080101000000ff") + data[first + 14 : second] + END_OF_IMAGE

    with pytest.raises(PictureCorrupt, match="1 of 3 colour components"):
        decode(only_brightness)


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xEF, 0xFE])
def test_segments_that_pixels_do_not_need_are_left_out(marker: int) -> None:
    data = picture("4:2:0")

    file = read_jpeg(data[:2] + segment(marker, b"no profile" * 9) + data[2:])

    assert file.data == data


def test_the_segments_that_tell_the_colours_are_kept() -> None:
    """JFIF and Adobe: without them red would turn blue or green."""
    red = Image.new("RGB", (32, 32), (220, 20, 30))

    for data in (encode(red, "JPEG"), encode(red.convert("CMYK"), "JPEG"), encode(red, "JPEG", keep_rgb=True)):
        assert largest_difference(decode(data), red) <= 3


def test_junk_and_fill_bytes_between_segments_are_passed_over() -> None:
    data = picture("4:4:4")

    image = decode(data[:2] + b"\xff\xff" + segment(0xFE, b"comment") + b"\x00junk\x00" + data[2:])

    assert largest_difference(image, decode(data)) == 0


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xd8\xff\xd9", "ends before its pixels"),
        (b"\xff\xd8" + b"\xff" * 5_000_000, "ends before its pixels"),
        (b"\xff\xd8" + b"\xff\x01" * 20_000, "more than 10,000 segments"),
        (b"\xff\xd8" + segment(0xFE, b"") * 20_000, "more than 10,000 segments"),
        (b"\xff\xd8\xff\xe0\xff\xff", "middle of a segment"),
        (b"\xff\xd8" + segment(0xDA, bytes(10)) + END_OF_IMAGE, "no frame header"),
        (b"\xff\xd8" + segment(0xC0, b"\x08\0\x10\0\x10\x03\x01") + END_OF_IMAGE, "frame header is too short"),
        (b"\xff\xd8" + segment(0xC0, b"\x08\0\x10\0\x10\0") + END_OF_IMAGE, "no usable components"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_file_that_cannot_be_walked_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_jpeg(data)
