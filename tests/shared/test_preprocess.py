"""Preprocess: the pixels a backbone was trained with, for pictures of every size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from shared.preprocess import Interpolation, PreprocessSpec, preprocess
from tests.shared.pictures import scene

SIZES = [(640, 480), (480, 640), (500, 375), (333, 500), (256, 256), (224, 224), (100, 60), (231, 1000), (57, 58)]


def differences(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> NDArray[np.int64]:
    assert found.shape == expected.shape
    return np.abs(found.astype(int) - expected.astype(int))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("resize", "height", "width"), [(256, 224, 224), (232, 224, 224), (342, 299, 299), (64, 33, 48)]
)
def test_crop_gives_the_pixels_of_torchvision(
    size: tuple[int, int], interpolation: Interpolation, resize: int, height: int, width: int
) -> None:
    """Weights were trained behind Resize and CenterCrop; half a pixel of shift is a domain shift.

    Pillow may take rows before columns when a crop makes that cheaper, and rounds in between: hence not equal. Half a
    pixel of shift would differ by 5 on average in this noisy picture.
    """
    from torchvision.transforms import CenterCrop, InterpolationMode, Resize

    spec = PreprocessSpec(height=height, width=width, resize=resize, interpolation=interpolation)
    image = scene(*size)
    theirs = CenterCrop((height, width))(Resize(resize, InterpolationMode(interpolation), antialias=True)(image))

    found = differences(preprocess(image, spec), np.asarray(theirs))

    assert found.mean() < 0.3
    assert (found > 2).mean() < 0.003


@pytest.mark.parametrize("size", SIZES)
def test_stretch_gives_the_whole_picture(size: tuple[int, int]) -> None:
    image = scene(*size)

    found = preprocess(image, PreprocessSpec(fit="stretch", height=100, width=160))

    assert differences(found, np.asarray(image.resize((160, 100), Image.Resampling.BILINEAR))).max() == 0


def test_pad_centres_the_whole_picture_on_the_mean_colour() -> None:
    """The mean becomes 0 in the graph: padding is silent."""
    image = Image.new("RGB", (400, 100), "red")

    found = preprocess(image, PreprocessSpec(fit="pad", height=200, width=200, mean=(0.5, 0.25, 0.0)))

    assert set(map(tuple, found[:75].reshape(-1, 3))) == {(128, 64, 0)}
    assert set(map(tuple, found[75:125].reshape(-1, 3))) == {(255, 0, 0)}
    assert set(map(tuple, found[125:].reshape(-1, 3))) == {(128, 64, 0)}


specs = st.builds(
    lambda height, width, beyond, fit, interpolation: PreprocessSpec(
        height=height, width=width, resize=max(height, width) + beyond, fit=fit, interpolation=interpolation
    ),
    st.integers(1, 80),
    st.integers(1, 80),
    st.integers(0, 40),
    st.sampled_from(["crop", "pad", "stretch"]),
    st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
)


@given(spec=specs, width=st.integers(1, 300), height=st.integers(1, 300))
@settings(max_examples=200, deadline=None)
def test_any_picture_gives_the_shape_of_the_spec_and_twice_the_same(
    spec: PreprocessSpec, width: int, height: int
) -> None:
    image = scene(width, height)

    first, second = preprocess(image, spec), preprocess(image, spec)

    assert (first.shape, first.dtype) == ((spec.height, spec.width, 3), np.uint8)
    assert first.flags.c_contiguous
    assert first.flags.writeable
    assert np.array_equal(first, second)


@given(spec=specs, width=st.integers(1, 300), height=st.integers(1, 300), level=st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_a_picture_of_one_colour_keeps_it(spec: PreprocessSpec, width: int, height: int, level: int) -> None:
    """No edge brings in colours from outside the picture."""
    colour = (level, 255 - level, 7)
    found = preprocess(Image.new("RGB", (width, height), colour), spec)

    allowed = {colour} if spec.fit != "pad" else {colour, tuple(round(255 * mean) for mean in spec.mean)}
    assert set(map(tuple, found.reshape(-1, 3))) <= allowed


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (1, 65535), (2, 3)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_the_smallest_and_thinnest_pictures_work(size: tuple[int, int], fit: str) -> None:
    found = preprocess(Image.new("RGB", size, "blue"), PreprocessSpec(fit=fit))

    assert found.shape == (224, 224, 3)
    assert (found == (0, 0, 255)).all(axis=-1).any()


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (300, 299), (225, 4000)])
def test_a_picture_of_the_least_decoded_size_is_never_scaled_up(size: tuple[int, int], fit: str) -> None:
    spec = PreprocessSpec(fit=fit, height=200, width=224, resize=256)
    least = spec.decode_at_least
    scale = max(least[0] / size[0], least[1] / size[1])
    decoded = (max(least[0], round(size[0] * scale)), max(least[1], round(size[1] * scale)))

    if fit == "crop":
        assert min(decoded) >= spec.resize
    else:
        assert decoded[0] >= spec.width
        assert decoded[1] >= spec.height


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"resize": 223}, "resize 223 is below the crop of 224 x 224"),
        ({"height": 0}, "greater than or equal to 1"),
        ({"width": 5000}, "less than or equal to 4096"),
        ({"std": (0.2, 0.0, 0.2)}, "must be above 0"),
        ({"std": (float("nan"), 1, 1)}, "finite"),
        ({"mean": (124.0, 116.0, 104.0)}, "less than or equal to 1"),
        ({"fit": "squash"}, "'crop', 'pad' or 'stretch'"),
        ({"size": 224}, "Extra inputs"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_with_the_reason(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        PreprocessSpec.model_validate(fields)


def test_resize_may_be_anything_when_nothing_is_cropped() -> None:
    assert PreprocessSpec(fit="stretch", height=300, width=300, resize=256).decode_at_least == (300, 300)


def test_a_spec_survives_the_way_through_a_bundle() -> None:
    spec = PreprocessSpec(height=192, width=160, resize=200, fit="pad", interpolation="bicubic", mean=(0, 0.5, 1))

    assert PreprocessSpec.model_validate_json(spec.model_dump_json()) == spec
