"""Boxes, patches and heat: what an explanation is made of."""

import numpy as np
import pytest
from PIL import Image

from service.explaining import GRID, box_of, covered, log_odds, mean_colour, patches, scaled
from shared.preprocess import Fit, PreprocessSpec, preprocess


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(400, 200), (150, 300), (256, 256), (101, 83)])
def test_a_place_of_the_models_picture_is_found_in_the_upright_picture(fit: Fit, size: tuple[int, int]) -> None:
    """The page lays the heat over the photo with these fractions: a wrong box points beside the crack."""
    width, height = size
    spec = PreprocessSpec(height=96, width=96, resize=112, fit=fit)
    image = Image.new("RGB", size)
    left, top = int(0.55 * width), int(0.45 * height)
    side = max(4, min(size) // 12)
    image.paste((255, 255, 255), (left, top, left + side, top + side))

    box = box_of(size, spec)
    seen = preprocess(image, spec)[..., 0].astype(float)
    if fit == "pad":
        seen[seen < 200] = 0

    down, across = (np.average(np.arange(96) + 0.5, weights=seen.sum(axis)) / 96 for axis in (1, 0))
    assert box.left + across * (box.right - box.left) == pytest.approx((left + side / 2) / width, abs=0.01)
    assert box.top + down * (box.bottom - box.top) == pytest.approx((top + side / 2) / height, abs=0.01)


def test_what_is_padded_lies_outside_of_the_picture_and_what_is_cropped_inside() -> None:
    wide = (200, 100)

    padded, cropped, stretched = (
        box_of(wide, PreprocessSpec(height=100, width=100, resize=100, fit=fit)) for fit in ("pad", "crop", "stretch")
    )

    assert (padded.left, padded.top, padded.right, padded.bottom) == (0, -0.5, 1, 1.5)
    assert (cropped.left, cropped.top, cropped.right, cropped.bottom) == (0.25, 0, 0.75, 1)
    assert (stretched.left, stretched.top, stretched.right, stretched.bottom) == (0, 0, 1, 1)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (128, 96), (16, 17), (7, 7), (3, 1)])
def test_patches_cover_every_pixel_and_stay_inside(height: int, width: int) -> None:
    times = np.zeros((height, width), int)

    found = list(patches(PreprocessSpec(height=height, width=width, resize=max(height, width))))

    for patch in found:
        assert 0 <= patch.rows.start < patch.rows.stop <= height
        assert 0 <= patch.columns.start < patch.columns.stop <= width
        times[patch.rows, patch.columns] += 1
    assert [(patch.row, patch.column) for patch in found] == [(r, c) for r in range(GRID) for c in range(GRID)]
    assert times.min() >= 1


def test_what_is_covered_has_the_mean_colour_and_the_rest_stays() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 3), np.uint8)
    before, patch = pixels.copy(), list(patches(PreprocessSpec(height=28, width=28, resize=28)))[8]

    found = covered(pixels, patch, mean_colour(pixels))

    changed = np.zeros((28, 28), bool)
    changed[patch.rows, patch.columns] = True
    assert np.array_equal(pixels, before)
    assert np.array_equal(found[~changed], pixels[~changed])
    assert (found[changed] == np.rint(pixels.mean((0, 1)))).all()


def test_log_odds_are_those_of_the_label_against_all_others() -> None:
    assert log_odds(np.float32([0.2, 0.7, 0.1]), 1) == pytest.approx(np.log(0.7 / 0.3), rel=1e-6)


def test_log_odds_still_tell_certain_answers_apart() -> None:
    """1 - p is 0 in float32 above 0.99999997; the other labels' own probabilities are still there."""
    sure, surer = np.float32([1.0, 1e-9]), np.float32([1.0, 1e-20])

    assert log_odds(surer, 0) - log_odds(sure, 0) == pytest.approx(np.log(1e11), rel=1e-6)
    assert np.isfinite([log_odds(np.float32([1, 0]), 0), log_odds(np.float32([1, 0]), 1)]).all()


def test_the_largest_magnitude_of_heat_is_1() -> None:
    assert scaled(np.array([[2.0, -4], [0, 1]])).tolist() == [[0.5, -1], [0, 0.25]]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf])
def test_heat_that_says_nothing_is_0_everywhere(value: float) -> None:
    """JSON has no NaN."""
    assert scaled(np.full((2, 2), value)).tolist() == [[0, 0], [0, 0]]
