"""WebP: the size is known before the decoder allocates, and a cut file is refused."""

import numpy as np
import pytest
from PIL import Image

from shared.decode import decode
from shared.errors import PictureCorrupt
from shared.webp_file import webp_size
from tests.shared.pictures import encode, exif_block, pixels_of, scene


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}, {"exif": exif_block(1)[6:]}])
@pytest.mark.parametrize("size", [(1, 1), (37, 91), (1000, 3)])
def test_the_size_is_read_from_the_header_of_every_kind(size: tuple[int, int], options: dict[str, object]) -> None:
    assert webp_size(encode(scene(*size), "WEBP", **options)) == size


def test_the_size_of_an_animation_is_that_of_its_canvas_and_its_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (40, 20), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)

    assert webp_size(data) == (40, 20)
    assert set(map(tuple, pixels_of(decode(data)).reshape(-1, 3))) == {(255, 0, 0)}


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}])
@pytest.mark.parametrize("mend_lengths", [False, True])
def test_a_cut_webp_is_refused_even_if_its_lengths_were_mended(options: dict[str, object], mend_lengths: bool) -> None:  # noqa: FBT001
    data = encode(scene(60, 50), "WEBP", **options)

    for cut in range(12, len(data) - 1, 2):
        cut_data = bytearray(data[:cut])
        if mend_lengths and cut > 22:
            cut_data[4:8] = (cut - 8).to_bytes(4, "little")
            cut_data[16:20] = (cut - 20).to_bytes(4, "little")
        try:
            found = decode(bytes(cut_data))
        except PictureCorrupt:
            continue
        assert np.array_equal(pixels_of(found), pixels_of(decode(data)))


def test_transparency_becomes_white() -> None:
    image = scene(8, 8).convert("RGBA")
    image.putalpha(0)

    assert set(pixels_of(decode(encode(image, "WEBP", lossless=True))).ravel()) == {255}


@pytest.mark.parametrize("cut", [12, 16, 24, 29])
def test_a_header_that_is_cut_is_refused_with_the_reason(cut: int) -> None:
    with pytest.raises(ValueError, match="first chunk is not that of a picture"):
        webp_size(encode(scene(), "WEBP")[:cut])
