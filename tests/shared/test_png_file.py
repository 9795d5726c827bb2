"""PNG: every chunk that pixels depend on is whole and right; rows are all there; nothing else reaches the decoder."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from shared.decode import decode
from shared.errors import PictureCorrupt
from shared.png_file import read_png
from tests.shared.pictures import encode, largest_difference, pixels_of, png, png_chunk, scene


def test_every_cut_png_is_refused() -> None:
    data = encode(scene(40, 30), "PNG")

    for cut in range(8, len(data)):
        with pytest.raises(PictureCorrupt):
            decode(data[:cut])


def test_every_flipped_byte_is_refused_or_changes_no_pixel() -> None:
    """Pillow does not look at the checksums of pixel data."""
    data, whole = encode(scene(24, 20), "PNG"), scene(24, 20)

    for at in range(8, len(data)):
        damaged = data[:at] + bytes((data[at] ^ 0xFF,)) + data[at + 1 :]
        try:
            found = decode(damaged)
        except PictureCorrupt:
            continue
        assert largest_difference(found, whole) == 0


def test_missing_rows_are_refused_although_the_file_is_well_formed() -> None:
    """Pillow leaves them black without a word."""
    with pytest.raises(PictureCorrupt, match="rows are missing"):
        decode(png(10, 20, [b"\xc8" * 30] * 10))


def test_a_picture_that_ends_in_black_rows_is_accepted() -> None:
    rows = [b"\xc8" * 30] * 10 + [bytes(30)] * 10

    assert pixels_of(decode(png(10, 20, rows))).sum() == 10 * 10 * 3 * 0xC8


@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 3), (2, 2), (5, 7), (9, 9), (33, 17)])
@pytest.mark.parametrize(("depth", "colour_type"), [(1, 0), (4, 0), (8, 2), (16, 6), (2, 3)])
def test_interlaced_pictures_of_any_size_are_found_whole(size: tuple[int, int], depth: int, colour_type: int) -> None:
    """Seven passes, some of them empty in small pictures."""
    bits_per_px = depth * {0: 1, 2: 3, 3: 1, 6: 4}[colour_type]
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows: list[bytes] = []
    for left, top, across, down in passes:
        width, height = len(range(left, size[0], across)), len(range(top, size[1], down))
        rows += [b"\xff" * ((width * bits_per_px + 7) // 8)] * (height if width else 0)
    palette = png_chunk(b"PLTE", bytes(12)) if colour_type == 3 else b""
    options = {"depth": depth, "colour_type": colour_type, "interlace": 1, "before_pixels": palette}

    assert decode(png(*size, rows, **options)).size == size
    with pytest.raises(PictureCorrupt, match=r"rows are missing|truncated"):
        decode(png(*size, rows[:-1], **options))


def test_of_an_animation_the_still_picture_is_shown() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]

    for still_is_a_frame in (True, False):
        data = encode(
            frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=not still_is_a_frame, duration=50
        )
        assert b"acTL" in data
        assert set(map(tuple, pixels_of(decode(data)).reshape(-1, 3))) == {(255, 0, 0)}


def test_what_pixels_do_not_need_is_left_out_even_if_it_is_damaged_or_a_bomb() -> None:
    """Text that unpacks to gigabytes, colour profiles, animation."""
    rows = [b"\x0a\x14\x1e" * 4] * 3
    bomb = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**7)))
    damaged = png_chunk(b"tEXt", b"k\0v")[:-1] + b"\0"
    animation = png_chunk(b"acTL", struct.pack(">II", 0, 0)) * 2 + png_chunk(b"fcTL", bytes(26))

    data = png(4, 3, rows, before_pixels=bomb + damaged + animation + png_chunk(b"iCCP", b"broken"))

    assert read_png(data).data == png(4, 3, rows)
    assert set(pixels_of(decode(data)).ravel()) == {10, 20, 30}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (png(1, 1, [bytes(3)], before_pixels=png_chunk(b"CgBI", b"")), "unknown chunk b'CgBI'"),
        (png(1, 1, [bytes(3)], colour_type=5), "colour type is 5"),
        (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IEND", b""), "no header"),
        (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", b"") + png_chunk(b"IEND", b""), "header has the wrong length"),
        (png(1, 1, [bytes(3)], before_pixels=(bytes(4) + b"teXt" + bytes(4)) * 100_000), "more than 100,000 chunks"),
        (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31) + b"IDAT", "middle of a chunk|before its end"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_file_that_cannot_be_walked_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_png(data)


def transparent(colour: tuple[int, ...]) -> bytes:
    return png_chunk(b"tRNS", struct.pack(f">{len(colour)}H", *colour))


@pytest.mark.parametrize(
    ("depth", "colour_type", "row", "colour", "expected"),
    [
        (1, 0, b"\x40", (1,), [0, 255]),
        (2, 0, b"\x90", (2,), [255, 85]),
        (4, 0, b"\x3c", (3,), [255, 204]),
        (8, 0, b"\x32\x64", (0x32,), [255, 100]),
        (16, 0, b"\x32\x10\x32\x11", (0x3210,), [255, 50]),
        (8, 2, b"\x0a\x14\x1e\x0a\x14\x1f", (10, 20, 30), [255, (10, 20, 31)]),
        (16, 2, b"\x0a\0\x14\0\x1e\0\x0b\0\x14\0\x1e\0", (0x0A00, 0x1400, 0x1E00), [255, (11, 20, 30)]),
    ],
)
def test_a_transparent_colour_becomes_white_at_every_depth(
    depth: int, colour_type: int, row: bytes, colour: tuple[int, ...], expected: list[int | tuple[int, ...]]
) -> None:
    """Pillow compares the stored value with scaled pixels, and forgets it for grey of 16 bits."""
    data = png(2, 1, [row], depth=depth, colour_type=colour_type, before_pixels=transparent(colour))

    found = pixels_of(decode(data))[0]

    assert np.array_equal(found, [np.broadcast_to(px, 3) for px in expected])
