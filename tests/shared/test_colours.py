"""Colours: every kind of pixel becomes the RGB a viewer would show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.colours import to_rgb
from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureCorrupt
from tests.shared.pictures import encode, largest_difference, pixels_of, png, scene

RED = (220, 20, 30)


def grey_levels(image: Image.Image) -> list[int]:
    assert np.ptp(pixels_of(image), axis=-1).max() == 0
    return [int(level) for level in pixels_of(image)[..., 0].ravel()]


@pytest.mark.parametrize("picture_format", ["PNG", "TIFF"])
def test_grey_of_16_bits_is_scaled_not_clipped(picture_format: str) -> None:
    values = np.array([[0, 1, 255, 256, 32768, 65535]], np.uint16)

    image = decode(encode(Image.fromarray(values), picture_format), limits=TRAINER_LIMITS)

    assert grey_levels(image) == [0, 0, 1, 1, 128, 255]


@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
def test_png_of_16_bits_is_scaled_in_every_colour_type(colour_type: int) -> None:
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    alpha = b"\xff\xff" if colour_type > 3 else b""
    row = b"".join(level * (channels - (1 if alpha else 0)) + alpha for level in (b"\0\0", b"\x80\0", b"\xff\xff"))

    assert grey_levels(decode(png(3, 1, [row], depth=16, colour_type=colour_type))) == [0, 128, 255]


def test_tiff_of_12_bits_is_white_at_4095() -> None:
    image = Image.fromarray(np.array([[0, 2048, 4095]], np.uint16))

    assert grey_levels(to_rgb(image, grey_white=4095)) == [0, 128, 255]


def test_grey_that_runs_from_white_to_black_is_turned() -> None:
    image = Image.fromarray(np.array([[0, 65535]], np.uint16))
    buffer = encode(image, "TIFF", tiffinfo={262: 0})

    assert grey_levels(decode(buffer, limits=TRAINER_LIMITS)) == [255, 0]


def test_grey_floats_run_from_0_to_1() -> None:
    image = Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32))

    assert grey_levels(decode(encode(image, "TIFF"), limits=TRAINER_LIMITS)) == [0, 128, 255]


@pytest.mark.parametrize("value", [1.01, -0.1, np.nan, np.inf, 255.0])
def test_other_floats_are_refused_instead_of_guessed(value: float) -> None:
    image = Image.fromarray(np.array([[0.0, value]], np.float32))

    with pytest.raises(PictureCorrupt, match="expected 0 to 1"):
        decode(encode(image, "TIFF"), limits=TRAINER_LIMITS)


@pytest.mark.parametrize(("mode", "why"), [("I", "expected 8 or 16 bits"), ("LAB", "expected RGB, CMYK or grey")])
def test_kinds_without_an_agreed_rendering_are_refused(mode: str, why: str) -> None:
    with pytest.raises(PictureCorrupt, match=why):
        decode(encode(Image.new(mode, (4, 4)), "TIFF"), limits=TRAINER_LIMITS)


@pytest.mark.parametrize("picture_format", ["JPEG", "TIFF"])
def test_red_is_red_in_cmyk(picture_format: str) -> None:
    """Adobe stores CMYK inverted in JPEG, and every program follows."""
    ink = Image.new("RGB", (32, 32), RED).convert("CMYK")

    image = decode(encode(ink, picture_format), limits=TRAINER_LIMITS)

    assert largest_difference(image, Image.new("RGB", (32, 32), RED)) <= 3


def test_cmyk_from_other_programs_looks_as_they_show_it(shared_data: Path) -> None:
    file = shared_data / "datasets" / "nasty" / "pillow" / "pil_sample_cmyk.jpg"

    image = decode(file.read_bytes())

    with Image.open(file) as reference:
        assert largest_difference(image, reference.convert("RGB")) == 0


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_and_palettes_become_the_same_colours(mode: str) -> None:
    image = scene(40, 30).quantize(32) if mode == "P" else scene(40, 30).convert(mode)

    for picture_format in ("PNG", "BMP", "GIF", "TIFF"):
        found = decode(encode(image, picture_format), limits=TRAINER_LIMITS)
        assert largest_difference(found, image.convert("RGB")) == 0


def test_transparency_is_laid_on_white() -> None:
    image = Image.new("RGBA", (3, 1))
    image.putdata([(200, 0, 0, 255), (200, 0, 0, 128), (200, 0, 0, 0)])

    pixels = pixels_of(decode(encode(image, "PNG")))[0]

    assert [tuple(px) for px in pixels[[0, 2]]] == [(200, 0, 0), (255, 255, 255)]
    assert np.abs(pixels[1].astype(int) - (227, 127, 127)).max() <= 1


def test_grey_with_alpha_and_palettes_with_alpha_are_laid_on_white() -> None:
    grey = Image.new("LA", (2, 1))
    grey.putdata([(90, 255), (90, 0)])
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])

    assert grey_levels(decode(encode(grey, "PNG"))) == [90, 255]
    for transparency in (b"\xff\x00", 1):
        pixels = pixels_of(decode(encode(palette, "PNG", transparency=transparency)))
        assert pixels.tolist() == [[[10, 20, 30], [255, 255, 255]]]
