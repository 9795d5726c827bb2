"""BMP: run-length encoding is unpacked in Python, so less of it is accepted."""

import struct

import numpy as np
import pytest

from shared.bmp_file import RUN_LENGTH_MAX_BYTES, is_run_length_encoded
from shared.decode import decode
from shared.errors import PictureCorrupt, PictureTooLarge, TooManyPixels
from tests.shared.pictures import encode, pixels_of, scene

RLE8, RLE4 = 1, 2


def run_length_bmp(width: int, height: int, runs: bytes, compression: int = RLE8) -> bytes:
    bits = {RLE8: 8, RLE4: 4}[compression]
    table = b"".join(bytes((level, level, 255, 0)) for level in range(1 << bits))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(runs), 0, 0, 1 << bits, 0)
    start = 14 + len(header) + len(table)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + table + runs


def test_a_small_run_length_encoded_picture_is_decoded() -> None:
    data = run_length_bmp(4, 2, b"\x04\x07\0\0\x04\x09\0\x01")

    assert pixels_of(decode(data))[:, :, 1].tolist() == [[9] * 4, [7] * 4]
    assert is_run_length_encoded(data)
    assert not is_run_length_encoded(encode(scene(), "BMP"))


@pytest.mark.parametrize("compression", [RLE8, RLE4])
def test_a_large_one_is_refused_before_it_blocks_the_process_for_seconds(compression: int) -> None:
    with pytest.raises(TooManyPixels, match="4,000,000 are accepted"):
        decode(run_length_bmp(4000, 1001, b"\0\x01", compression))


def test_a_long_list_of_runs_is_refused_whatever_it_paints() -> None:
    with pytest.raises(PictureTooLarge):
        decode(run_length_bmp(4, 2, bytes(RUN_LENGTH_MAX_BYTES)))


def test_runs_that_end_early_are_refused() -> None:
    with pytest.raises(PictureCorrupt):
        decode(run_length_bmp(4, 2, b"\x04\x07\0\x01"))


def test_a_cut_bmp_is_refused_unless_every_pixel_is_there() -> None:
    for image in (scene(30, 20), scene(31, 20).quantize(16), scene(30, 20).convert("L"), scene(30, 20).convert("1")):
        data = encode(image, "BMP")
        whole = pixels_of(decode(data))
        for cut in range(2, len(data), 3):
            try:
                found = pixels_of(decode(data[:cut]))
            except PictureCorrupt:
                continue
            assert np.array_equal(found, whole)
