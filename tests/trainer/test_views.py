"""Views differ from their picture a little, from each other, and never from themselves."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.preprocess import PreprocessSpec, preprocess
from trainer.views import (
    LEAST_AREA,
    MOST_COLOURED,
    MOST_STRETCHED,
    MOST_TURNED_DEG,
    VIEWS_REVISION,
    Drawing,
    apply,
    draw,
    render_views,
    view_definition,
)

SPEC = PreprocessSpec(height=32, width=32, resize=36)
DIGESTS = [f"{number:064x}" for number in range(300)]
UNCHANGED = Drawing(mirrored=False, box=(0, 0, 1, 1), turned_deg=0, brightness=1, contrast=1, saturation=1)


def picture(side: int = 60) -> Image.Image:
    """Red grows to the right, green downwards."""
    ramp = np.linspace(40, 210, side).astype(np.uint8)
    return Image.fromarray(np.stack(np.broadcast_arrays(ramp[None], ramp[:, None], np.uint8(90)), axis=2))


def changed(**how: Any) -> NDArray[np.uint8]:
    return np.asarray(apply(replace(UNCHANGED, **how), picture()))


def test_views_are_always_the_same() -> None:
    """Features are kept by digest and number: another view under the same key would be stale features."""
    drawn = draw(DIGESTS[7], 3)

    assert (drawn.mirrored, drawn.turned_deg) == (False, pytest.approx(-3.656808138)), "raise VIEWS_REVISION"
    assert drawn.box == pytest.approx((0.028191806, 0.008941180, 0.985344378, 0.893871514))
    assert (drawn.brightness, drawn.contrast, drawn.saturation) == pytest.approx(
        (1.063913816, 0.965985158, 1.098972790)
    )
    assert view_definition() == "augmented, revision 2"


def test_the_odds_are_the_bytes_of_a_digest() -> None:
    """A generator of NumPy's may change with its version, which is not in the fingerprint of views."""
    first = int.from_bytes(hashlib.sha256(f"{VIEWS_REVISION}:{DIGESTS[7]}:3".encode()).digest()[:4], "big") / 2**32

    assert draw(DIGESTS[7], 3).turned_deg == pytest.approx(MOST_TURNED_DEG * (2 * first - 1))


def test_every_picture_and_every_further_number_has_a_view_of_its_own() -> None:
    drawn = {repr(draw(digest, index)) for digest in DIGESTS for index in range(4)}

    assert len(drawn) == 1 + 3 * len(DIGESTS)


def test_the_first_view_is_the_mirror_image_and_nothing_else() -> None:
    assert [draw(digest, 0) for digest in DIGESTS[:3]] == 3 * [replace(UNCHANGED, mirrored=True)]


def test_the_other_changes_stay_small_and_use_their_whole_range() -> None:
    drawn = [draw(digest, 1) for digest in DIGESTS]
    turned = [one.turned_deg for one in drawn]
    areas = [(one.box[2] - one.box[0]) * (one.box[3] - one.box[1]) for one in drawn]
    shapes = [(one.box[2] - one.box[0]) / (one.box[3] - one.box[1]) for one in drawn]
    factors = [factor for one in drawn for factor in (one.brightness, one.contrast, one.saturation)]

    assert max(map(abs, turned)) <= MOST_TURNED_DEG
    assert (min(turned), max(turned)) == pytest.approx((-MOST_TURNED_DEG, MOST_TURNED_DEG), rel=0.05)
    assert (min(areas), max(areas)) == pytest.approx((LEAST_AREA, 1), rel=0.05)
    assert (min(shapes), max(shapes)) == pytest.approx((1 / MOST_STRETCHED, MOST_STRETCHED), rel=0.02)
    assert (min(factors), max(factors)) == pytest.approx((1 - MOST_COLOURED, 1 + MOST_COLOURED), rel=0.01)
    assert all(0 <= edge <= 1 for one in drawn for edge in one.box)


def test_half_of_the_views_are_mirrored() -> None:
    assert [draw(DIGESTS[0], index).mirrored for index in range(4)] == [True, False, True, False]


def test_what_is_not_changed_stays_as_it_is() -> None:
    assert np.array_equal(changed(), np.asarray(picture()))


def test_each_change_does_what_it_says() -> None:
    plain = np.asarray(picture()).astype(float)

    assert np.array_equal(changed(mirrored=True), np.asarray(picture())[:, ::-1])
    assert changed(box=(0.5, 0, 1, 1)).shape == (60, 30, 3)
    assert changed(box=(0.5, 0, 1, 1))[..., 0].mean() > plain[..., 0].mean() + 30
    assert changed(brightness=1.2).mean() > plain.mean() * 1.1
    assert changed(contrast=0.8).std() < plain.std() * 0.9
    assert changed(saturation=0.8).std(axis=2).mean() < plain.std(axis=2).mean() * 0.9


def test_a_turned_picture_has_no_foreign_corners() -> None:
    """Corners of one colour would be the strongest edges of a picture of concrete, and look like its cracks."""
    steps = np.abs(np.diff(changed(turned_deg=5.0).astype(float), axis=1)).max()

    assert steps < 15
    assert changed(turned_deg=5.0).shape == (60, 60, 3)
    assert np.abs(changed(turned_deg=5.0)[30, 5:-5].astype(float) - changed()[30, 5:-5]).max() > 2


def test_a_picture_of_one_pixel_has_views() -> None:
    views = render_views(Image.new("RGB", (1, 1), (200, 10, 10)), SPEC, DIGESTS[3], (0, 1, 2, 3))

    assert {view.shape for view in views} == {(32, 32, 3)}


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_views_are_prepared_as_the_picture_is(fit: str) -> None:
    spec = SPEC.model_copy(update={"fit": fit})
    views = render_views(picture(), spec, DIGESTS[1], (0, 2))

    assert [(view.shape, view.dtype) for view in views] == [((32, 32, 3), np.uint8)] * 2
    assert not np.array_equal(views[0], views[1])
    assert np.array_equal(views[1], render_views(picture(), spec, DIGESTS[1], (2,))[0])


def test_a_large_picture_has_the_views_of_a_small_one() -> None:
    """It is made small first, which saves the time and must not change what is seen."""
    small, large = picture(60), picture(60).resize((1200, 1200), Image.Resampling.BICUBIC)

    views = [render_views(one, SPEC, DIGESTS[2], (1,))[0].astype(float) for one in (small, large)]

    assert np.abs(views[0] - views[1]).mean() < 3
    assert np.abs(views[0] - preprocess(small, SPEC)).mean() > 5
