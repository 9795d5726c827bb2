"""Statistics of a picture: plain numbers that can be checked by hand, the same whatever the file's resolution."""

import io
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from shared.decode import decode
from tests.shared.pictures import encode, exif_block, scene
from trainer.picture_statistics import COLUMNS, GREY_SIDE, PictureStatistics, StatisticsTable, measure_picture


def measure(image: Image.Image, picture_format: str = "PNG", **options: object) -> PictureStatistics:
    data = encode(image, picture_format, **options)
    return measure_picture(data, decode(data, at_least=(160, 160)))


def grey(pixels: NDArray[np.int_]) -> Image.Image:
    return Image.fromarray(pixels.astype(np.uint8)).convert("RGB")


def photo(width: int = 960, height: int = 640) -> Image.Image:
    """Smooth noise of several scales, as sharp as a photo."""
    draw = np.random.default_rng(7).integers(0, 256, (40, 60), dtype=np.uint8)
    return Image.fromarray(draw).resize((width, height), Image.Resampling.BICUBIC).convert("RGB")


def test_a_uniform_picture_has_its_brightness_and_nothing_else() -> None:
    found = measure(Image.new("RGB", (300, 200), (90, 90, 90)))

    assert (found.brightness, found.contrast, found.sharpness, found.difference_hash) == (90.0, 0.0, 0.0, 0)
    assert np.array_equal(found.grey, np.full((GREY_SIDE, GREY_SIDE), 90))


def test_brightness_and_contrast_are_mean_and_deviation_of_luma() -> None:
    halves = np.zeros((64, 64), dtype=int)
    halves[:, 32:] = 200

    found = measure(grey(halves))

    assert (found.brightness, found.contrast) == (100.0, 100.0)
    assert measure(Image.new("RGB", (10, 10), (255, 0, 0))).brightness == pytest.approx(0.299 * 255, abs=0.5)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    dot = np.zeros((5, 5), dtype=int)
    dot[2, 2] = 10  # the inner 3 x 3 holds -40 once, 10 four times and 0 four times

    assert measure(grey(dot)).sharpness == pytest.approx((1600 + 4 * 100) / 9 - 0)


def test_a_blurred_picture_is_less_sharp_and_the_more_the_less() -> None:
    sharp, soft, softer = (measure(photo().filter(ImageFilter.GaussianBlur(radius))).sharpness for radius in (0, 8, 16))

    assert sharp > 2 * soft > 4 * softer


@pytest.mark.parametrize("size", [(480, 320), (320, 480), (1920, 1280)])
def test_another_resolution_of_a_picture_has_nearly_the_same_statistics(size: tuple[int, int]) -> None:
    one, other = measure(photo()), measure(photo().resize(size, Image.Resampling.LANCZOS))

    assert other.brightness == pytest.approx(one.brightness, abs=0.5)
    assert other.contrast == pytest.approx(one.contrast, rel=0.02)
    assert other.sharpness == pytest.approx(one.sharpness, rel=0.1)
    assert (one.difference_hash ^ other.difference_hash).bit_count() <= 2
    assert np.abs(one.grey.astype(int) - other.grey).mean() <= 2


def test_a_jpeg_that_is_scaled_while_decoding_is_measured_as_if_it_were_not() -> None:
    data = encode(photo(1600, 1200), "JPEG", quality=95)
    scaled, whole = decode(data, at_least=(160, 160)), decode(data)
    assert scaled.width < whole.width

    one, other = measure_picture(data, scaled), measure_picture(data, whole)

    assert (one.width, one.height) == (other.width, other.height) == (1600, 1200)
    assert one.sharpness == pytest.approx(other.sharpness, rel=0.1)
    assert (one.difference_hash ^ other.difference_hash).bit_count() <= 2


def test_the_size_is_that_of_the_upright_picture() -> None:
    found = measure(photo(600, 400), "JPEG", exif=exif_block(6))

    assert (found.width, found.height, found.format, found.orientation) == (400, 600, "JPEG", 6)


def test_the_hash_says_where_it_gets_brighter_to_the_right() -> None:
    rising = np.tile(np.arange(90) * 2, (80, 1))
    lower_half_falls = rising.copy()
    lower_half_falls[40:] = rising[40:, ::-1]

    assert measure(grey(rising)).difference_hash == 2**64 - 1
    assert measure(grey(rising[:, ::-1])).difference_hash == 0
    assert measure(grey(lower_half_falls)).difference_hash == 0xFFFFFFFF00000000


def test_the_hash_survives_brighter_smaller_and_another_encoding() -> None:
    original = measure(photo()).difference_hash
    brighter = measure(photo().point(lambda value: min(255, int(value * 0.8 + 40)))).difference_hash
    smaller = measure(photo().resize((240, 160), Image.Resampling.BOX), "JPEG", quality=60).difference_hash

    assert (original ^ brighter).bit_count() <= 2
    assert (original ^ smaller).bit_count() <= 4
    assert (original ^ measure(scene(960, 640)).difference_hash).bit_count() > 10


def test_the_small_grey_picture_holds_the_means_of_equal_areas() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (64, 96))

    found = measure(grey(pixels)).grey

    assert np.array_equal(found, np.floor(pixels.reshape(32, 2, 32, 3).mean((1, 3)) + 0.5))


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (2, 3), (33, 31), (127, 129), (5000, 7)])
def test_a_picture_of_any_size_has_statistics(size: tuple[int, int]) -> None:
    found = measure(photo().resize(size))

    assert (found.width, found.height) == size
    assert found.grey.shape == (GREY_SIDE, GREY_SIDE)
    assert found.grey.mean() == pytest.approx(found.brightness, abs=1)
    assert 0 <= found.difference_hash < 2**64 and found.sharpness >= 0


def test_borders_of_areas_may_cut_through_pixels() -> None:
    """Three columns on 32 areas: the 11th is two thirds black and one third of the middle one."""
    found = measure(grey(np.array([[0, 90, 180]] * 3))).grey

    assert found[0, [0, 9, 10, 11, 20, 21, 22, 31]].tolist() == [0, 0, 30, 90, 90, 150, 180, 180]


def sum_of_areas(luma: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    """Every pixel split into rows x columns parts, so that borders of areas fall between parts."""
    height, width = luma.shape
    parts = np.kron(luma, np.ones((rows, columns), dtype=np.int64))
    return parts.reshape(rows, height, columns, width).sum(axis=(1, 3))


@pytest.mark.parametrize("size", [(1, 1), (2, 200), (3, 3), (9, 8), (33, 31), (64, 128), (127, 96), (500, 375)])
@pytest.mark.parametrize("kind", ["noise", "black and white", "photo"])
def test_every_number_is_the_one_that_its_plain_definition_gives(size: tuple[int, int], kind: str) -> None:
    """However they are computed: stored statistics of former runs stay true to the last bit."""
    drawn = np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    drawn = (drawn // 128 * 255).astype(np.uint8) if kind == "black and white" else drawn
    image = photo(*size) if kind == "photo" else Image.fromarray(drawn)
    small = image.convert("L")
    if max(size) > 128:
        small = small.resize((min(128, size[0]), min(128, size[1])), Image.Resampling.BOX)
    luma = np.asarray(small).astype(np.int64)
    edges = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * luma[1:-1, 1:-1]
    hashed, means = sum_of_areas(luma, 8, 9), sum_of_areas(luma, 32, 32) / luma.size

    found = measure(image)

    assert found.brightness == luma.sum() / luma.size
    assert found.contrast == math.sqrt(exact_variance(luma)) and found.sharpness == exact_variance(edges)
    assert found.difference_hash == int("".join(str(int(bit)) for bit in (hashed[:, 1:] > hashed[:, :-1]).ravel()), 2)
    assert np.array_equal(found.grey, np.floor(means + 0.5))


def exact_variance(values: NDArray[np.int64]) -> float:
    count, total, squares = values.size, int(values.sum()), int((values * values).sum())
    return (count * squares - total * total) / count**2 if count else 0.0


def test_a_table_gives_back_what_it_was_made_of() -> None:
    rows = {"a" * 64: measure(photo()), "b" * 64: measure(scene(), "JPEG", exif=exif_block(8))}
    table = StatisticsTable.from_rows(list(rows), list(rows.values()))

    assert len(table) == 2
    assert (table.format.tolist(), table.orientation.tolist()) == (["PNG", "JPEG"], [1, 8])
    for digest, row in rows.items():
        found = table.of(digest)
        assert np.array_equal(found.grey, row.grey)
        assert [getattr(found, name) for name in COLUMNS[:-1]] == [getattr(row, name) for name in COLUMNS[:-1]]
        assert type(found.difference_hash) is int and type(found.format) is str
    with pytest.raises(ValueError, match="not in tuple"):
        table.of("c" * 64)


def test_rows_of_a_table_are_taken_in_any_order() -> None:
    table = StatisticsTable.from_rows(["a", "b"], [measure(photo()), measure(scene())])

    taken = table.take([1, 0, 1])

    assert taken.digests == ("b", "a", "b")
    assert np.array_equal(taken.grey[[0, 1, 2]], table.grey[[1, 0, 1]])
    assert taken.sharpness.tolist() == [table.sharpness[row] for row in (1, 0, 1)]


def test_a_table_of_nothing_has_the_same_shape() -> None:
    table = StatisticsTable.from_rows([], [])

    assert (len(table), table.grey.shape) == (0, (0, GREY_SIDE, GREY_SIDE))
    assert table.difference_hash.dtype == np.uint64


def test_the_same_bytes_have_the_same_statistics() -> None:
    buffer = io.BytesIO()
    photo().save(buffer, "JPEG")
    one, other = (measure_picture(buffer.getvalue(), decode(buffer.getvalue())) for _ in range(2))

    assert one.grey.tobytes() == other.grey.tobytes()
    assert (one.brightness, one.contrast, one.sharpness) == (other.brightness, other.contrast, other.sharpness)
