"""trainer/poor_pictures.py: what shows little, by itself and next to the rest of its data set."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from trainer.findings import Finding, Kind
from trainer.picture_statistics import StatisticsTable, measure_picture
from trainer.poor_pictures import find_poor_pictures
from trainer.samples import Sample

Change = Callable[[Image.Image], Image.Image]


def scene(number: int) -> Image.Image:
    """A photograph of sorts: areas of different brightness with grain."""
    random = np.random.default_rng(number)
    areas = np.kron(random.integers(40, 220, (6, 6)), np.ones((40, 40)))
    return Image.fromarray((areas + random.normal(0, 12, areas.shape)).clip(0, 255).astype(np.uint8)).convert("RGB")


def as_they_are(image: Image.Image) -> Image.Image:
    return image


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(6))


def darkened(share: float) -> Change:
    return lambda image: image.point(lambda value: value * share)


def flattened(share: float) -> Change:
    return lambda image: image.point(lambda value: 128 + (value - 128) * share)


def find(changes: dict[int, Change], *, usual: Change = as_they_are, count: int = 20) -> dict[Kind, Finding]:
    """The findings about scenes, of which those numbered in `changes` are not as usual."""
    samples, rows = [], []
    for number in range(count):
        written = io.BytesIO()
        image = changes.get(number, usual)(scene(number))
        image.save(written, "PNG")
        digest = f"{number:064}"
        samples.append(Sample("x", f"{number}.png", "scene", digest, None))
        rows.append(measure_picture(written.getvalue(), image))
    table = StatisticsTable.from_rows([sample.digest for sample in samples], rows)
    return {finding.kind: finding for finding in find_poor_pictures(samples, table)}


@pytest.mark.parametrize(
    ("change", "kind"), [(darkened(0.1), Kind.DARK), (flattened(0.03), Kind.UNIFORM), (blurred, Kind.BLURRED)]
)
def test_a_poor_picture_among_good_ones_is_named_with_its_figure(change: Change, kind: Kind) -> None:
    found = find({3: change})

    assert list(found) == [kind]
    assert [mention.names for mention in found[kind].mentions] == [("3.png",)]
    assert found[kind].mentions[0].detail and found[kind].mentions[0].figure is not None


def test_good_pictures_are_left_alone() -> None:
    assert find({}) == {}


@pytest.mark.parametrize("usual", [darkened(0.1), flattened(0.06), blurred])
def test_what_a_data_set_is_about_is_not_held_against_it(usual: Change) -> None:
    """Pictures taken at night are dark, concrete has little contrast: all of them, so none is named."""
    assert find({}, usual=usual) == {}


@pytest.mark.parametrize("usual", [darkened(0.5), flattened(0.5)])
def test_among_pictures_at_dusk_the_black_one_is_still_found(usual: Change) -> None:
    assert list(find({3: darkened(0.02)}, usual=usual)) == [Kind.DARK]


def test_a_bright_thing_on_black_is_not_dark() -> None:
    """Its mean is low, but there is something to see."""

    def on_black(image: Image.Image) -> Image.Image:
        black = Image.new("RGB", image.size)
        black.paste(image.resize((60, 60)), (90, 90))
        return black

    assert find({3: on_black}) == {}


def test_the_poorest_comes_first_and_each_is_named_once() -> None:
    found = find({3: darkened(0.1), 4: darkened(0.02), 5: lambda image: Image.new("RGB", image.size, (1, 1, 1))})

    assert list(found) == [Kind.DARK]
    assert [mention.names[0] for mention in found[Kind.DARK].mentions] == ["5.png", "4.png", "3.png"]
