"""TIFF: a directory that is cut says something else about the pixels, so it is refused."""

import struct

import numpy as np
import pytest

from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureCorrupt
from shared.tiff_file import refuse_cut_directory
from tests.shared.pictures import encode, largest_difference, pixels_of, scene

COMPRESSIONS = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")  # pytest's filters come before decode's own
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("big_tiff", [False, True])
def test_a_cut_tiff_is_refused_unless_every_pixel_is_there(compression: str, big_tiff: bool) -> None:  # noqa: FBT001
    for image in (scene(30, 20).convert("RGBA"), scene(30, 20).quantize(16)):
        data = encode(image, "TIFF", compression=compression, big_tiff=big_tiff)
        whole = pixels_of(decode(data, limits=TRAINER_LIMITS))
        for cut in [*range(4, len(data) - 30, len(data) // 60), *range(len(data) - 30, len(data))]:
            try:
                found = pixels_of(decode(data[:cut], limits=TRAINER_LIMITS))
            except PictureCorrupt:
                continue
            assert np.array_equal(found, whole)


@pytest.mark.parametrize("big_tiff", [False, True])
def test_a_whole_directory_passes(big_tiff: bool) -> None:  # noqa: FBT001
    data = encode(scene(), "TIFF", big_tiff=big_tiff)

    refuse_cut_directory(data)

    assert largest_difference(decode(data, limits=TRAINER_LIMITS), scene()) == 0


@pytest.mark.parametrize("compression", ["tiff_ccitt", "group3", "group4"])
def test_a_fax_is_refused_for_damage_in_it_does_not_show(compression: str) -> None:
    """One flipped bit changed up to a third of the pixels, and the decoder only complained on stderr."""
    data = encode(scene().convert("1"), "TIFF", compression=compression)

    with pytest.raises(PictureCorrupt, match="save it as PNG"):
        decode(data, limits=TRAINER_LIMITS)


def test_missing_strips_are_refused() -> None:
    """Pillow leaves them black."""
    # 2 x 2 px grey in strips of one row, and an offset for one strip only.
    tags = {256: 2, 257: 2, 258: 8, 259: 1, 262: 1, 273: 8, 278: 1, 279: 2}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0" + struct.pack("<I", 10) + b"\x80\x90" + struct.pack("<H", len(tags)) + entries + bytes(4)

    with pytest.raises(PictureCorrupt, match="strips or tiles are missing"):
        decode(data, limits=TRAINER_LIMITS)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"II*\0\xff\xff\xff\xff", "middle of its directory"),
        (b"MM\0*\0\0\0\x08\0\x02", "middle of its directory"),
        (b"II*\0\x08\0\0\0\x01\0\x00\x01\x04\0\xff\0\0\0\x08\0\0\0", "points beyond its end"),
        (b"II+\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", "middle of its directory"),
    ],
)
def test_a_directory_that_is_not_there_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        refuse_cut_directory(data)
