"""GIF: the first frame alone, on a white canvas, and nothing allocated before its size is known."""

import numpy as np
import pytest
from PIL import Image

from shared.decode import decode
from shared.errors import PictureCorrupt
from shared.gif_file import read_gif
from tests.shared.pictures import encode, gif, pixels_of, scene

TRANSPARENT_RED = b"!\xf9\x04\x01\0\0\x01\0"
RED, WHITE = (255, 0, 0), (255, 255, 255)


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue", "green")]

    image = decode(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    assert set(map(tuple, pixels_of(image).reshape(-1, 3))) == {RED}


def test_what_a_small_frame_leaves_free_is_white() -> None:
    """A canvas is transparent where nothing was painted; Pillow gives it the first colour of the table."""
    pixels = pixels_of(decode(gif(screen=(6, 4), frame=(3, 1, 2, 2))))

    assert {tuple(px) for px in pixels[1:3, 3:5].reshape(-1, 3)} == {RED}
    assert np.array_equal(np.argwhere((pixels != WHITE).any(axis=-1)), [[1, 3], [1, 4], [2, 3], [2, 4]])


def test_a_frame_that_reaches_beyond_the_screen_enlarges_it() -> None:
    file = read_gif(gif(screen=(1, 1), frame=(4, 3, 2, 2)))

    assert (file.size, file.frame) == ((6, 5), (4, 3, 6, 5))
    assert decode(gif(screen=(1, 1), frame=(4, 3, 2, 2))).size == (6, 5)


def test_the_transparent_colour_becomes_white() -> None:
    image = decode(gif(screen=(2, 2), frame=(0, 0, 2, 2), before_frame=TRANSPARENT_RED))

    assert set(map(tuple, pixels_of(image).reshape(-1, 3))) == {WHITE}


@pytest.mark.parametrize(
    "blocks",
    [
        b"!\xfe\x05hello\0",
        b"!\xfe\x05hello\x01!\0",
        b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0",
        b"!\xff\0",
        b"\0",
        b"!\xf9\x04\x0c\0\0\0\0",
    ],
)
def test_blocks_before_the_frame_are_passed_over(blocks: bytes) -> None:
    plain = gif(screen=(2, 2), frame=(0, 0, 2, 2))

    assert read_gif(gif(screen=(2, 2), frame=(0, 0, 2, 2), before_frame=blocks)).data == plain


def test_the_decoder_is_not_told_to_dispose_of_anything() -> None:
    """It would allocate what the frame asks for while it opens the file, before any size is checked."""
    dispose_and_transparent = b"!\xf9\x04\x09\0\0\x01\0"

    data = read_gif(gif(screen=(2, 2), frame=(0, 0, 2, 2), before_frame=dispose_and_transparent)).data

    assert TRANSPARENT_RED in data
    assert dispose_and_transparent not in data


def test_a_block_that_hides_a_second_reading_gives_the_decoder_the_reading_that_was_checked() -> None:
    """Pillow reads an empty first block differently; it must not find another frame than the one measured here."""
    hidden = b"\xff\xff\xff\xff"
    image = decode(
        gif(screen=(2, 2), frame=(0, 0, 2, 2), before_frame=b"!\xff\0" + b"!\xfe\x0a," + bytes(4) + hidden + b"\0\0")
    )

    assert image.size == (2, 2)


def test_a_cut_gif_is_refused_unless_every_pixel_is_there() -> None:
    data = encode(scene(40, 30).quantize(64), "GIF")
    whole = pixels_of(decode(data))

    for cut in range(6, len(data)):
        try:
            found = decode(data[:cut])
        except PictureCorrupt:
            continue
        assert np.array_equal(pixels_of(found), whole)
        assert cut > len(data) - 10


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GIF89a", "before its first frame"),
        (b"GIF89a\x01\0\x01\0\0\0\0;", "no frame"),
        (b"GIF89a\x01\0\x01\0\0\0\0!\xfe\xff", "before its first frame"),
        (b"GIF89a\x01\0\x01\0\0\0\0,\0\0", "before its first frame"),
        (b"GIF89a\x01\0\x01\0\0\0\0!\xfe" + b"\x01!" * 2_100_000 + b"\0,", "says too much"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_file_without_a_frame_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_gif(data)
