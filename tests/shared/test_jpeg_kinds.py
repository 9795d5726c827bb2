"""JPEG: every kind that cameras, scanners and printers write shows the same picture."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.decode import TRAINER_LIMITS, decode
from tests.shared.jpeg_writer import Component, flat, write_jpeg
from tests.shared.pictures import encode, largest_difference, pixels_of, scene

SAMPLINGS = {
    "4:4:4": (1, 1),
    "4:2:2": (2, 1),
    "4:2:0": (2, 2),
    "4:4:0": (1, 2),
    "4:1:1": (4, 1),
    "4:1:0": (4, 2),
    "1 x 4": (1, 4),
    "3 x 1": (3, 1),
    "3 x 2": (3, 2),
}
# ITU-R BT.601, as JFIF asks: red is this bright, and has these colour differences.
RED_Y, RED_CB, RED_CR = 76, 85, 255


@pytest.mark.parametrize("kind", [{"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 5}])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_another_order_of_the_same_coefficients_shows_the_same_pixels(
    kind: dict[str, object], subsampling: int
) -> None:
    plain, other = (
        encode(scene(150, 110), "JPEG", quality=88, subsampling=subsampling, **options) for options in ({}, kind)
    )

    assert plain != other
    assert np.array_equal(pixels_of(decode(plain)), pixels_of(decode(other)))
    assert np.array_equal(pixels_of(decode(plain, at_least=(30, 30))), pixels_of(decode(other, at_least=(30, 30))))


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_colour_is_right_whatever_the_chroma_sampling(sampling: str) -> None:
    across, down = SAMPLINGS[sampling]
    planes = [Component(across, down, flat(RED_Y)), Component(1, 1, flat(RED_CB)), Component(1, 1, flat(RED_CR))]

    image = decode(write_jpeg(61, 37, planes))

    assert (image.mode, image.size) == ("RGB", (61, 37))
    assert largest_difference(image, Image.new("RGB", (61, 37), (254, 0, 0))) <= 2


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("at_least", [None, (8, 8)])
def test_brightness_stays_in_its_place_whatever_the_chroma_sampling(
    sampling: str, at_least: tuple[int, int] | None
) -> None:
    """Rows of blocks get brighter downwards and to the right; also when it is scaled while decoding."""
    across, down = SAMPLINGS[sampling]
    luma = Component(across, down, lambda row, column: 20 + 20 * row + 7 * column)
    data = write_jpeg(96, 64, [luma, Component(1, 1, flat(128)), Component(1, 1, flat(128))])

    image = decode(data, at_least=at_least)

    side = image.width // 12
    blocks = pixels_of(image)[:, :, 0].reshape(8, side, 12, side).mean((1, 3))
    expected = 20 + 20 * np.arange(8)[:, None] + 7 * np.arange(12)
    assert (side < 8) == (at_least is not None)
    assert np.abs(blocks - expected).max() <= 1


@pytest.mark.parametrize(("transform", "planes"), [(2, (179, 171, 1, 255)), (0, (255, 0, 0, 255))])
def test_red_is_red_in_four_inks_whether_they_are_stored_as_such_or_as_ycck(
    transform: int, planes: tuple[int, ...]
) -> None:
    """YCCK holds the complement of the inverted inks: red is stored as cyan (179, 171, 1) and no black."""
    components = [Component(1, 1, flat(value)) for value in planes]

    image = decode(write_jpeg(24, 16, components, adobe_transform=transform))

    assert image.mode == "RGB"
    assert largest_difference(image, Image.new("RGB", (24, 16), (255, 0, 0))) <= 3


def test_an_rgb_jpeg_is_not_taken_for_ycbcr() -> None:
    components = [Component(1, 1, flat(value)) for value in (200, 100, 50)]

    image = decode(write_jpeg(16, 16, components, adobe_transform=0))

    assert largest_difference(image, Image.new("RGB", (16, 16), (200, 100, 50))) <= 1


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_one_pixel_is_a_picture(picture_format: str) -> None:
    data = encode(Image.new("RGB", (1, 1), (255, 255, 255)), picture_format)

    for at_least in (None, (256, 256)):
        image = decode(data, at_least=at_least, limits=TRAINER_LIMITS)
        assert (image.size, image.getpixel((0, 0))) == ((1, 1), (255, 255, 255))


def test_a_huge_photo_takes_little_memory_because_it_is_scaled_while_decoding(tmp_path: Path) -> None:
    """A panorama of 108 million px; whole it would take 324 MB."""
    file = tmp_path / "huge.jpg"
    Image.linear_gradient("L").resize((18_000, 6_000), Image.Resampling.NEAREST).save(file, quality=50)
    program = (
        "import sys; from pathlib import Path; from shared.decode import TRAINER_LIMITS, decode\n"
        "def peak():\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith('VmHWM'))\n"
        "data = Path(sys.argv[1]).read_bytes(); before = peak()\n"
        "image = decode(data, at_least=(256, 256), limits=TRAINER_LIMITS)\n"
        "print(*image.size, image.mode, peak() - before)"
    )

    run = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, timeout=120, check=True)

    width, height, mode, grown_mb = run.stdout.split()
    assert (int(width), int(height), mode) == (2250, 750, "RGB")
    assert int(grown_mb) < 60
