"""trainer/near_duplicates.py: one picture in several forms is found, different ones are not, whatever the order."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from shared.decode import decode
from shared.files import sha256_of
from tests.trainer.grey_pictures import make_pictures, statistics_of
from trainer.likeness_threshold import calibrate, plant
from trainer.near_duplicates import Likeness, find_near_duplicates
from trainer.picture_statistics import StatisticsTable, measure_picture

PICTURES = make_pictures(120)


def find(grey: NDArray[np.uint8], targets: list[int] | None = None) -> Likeness:
    return find_near_duplicates(statistics_of(grey), np.array(targets or [0] * len(grey), dtype=np.int64))


def fine_stripes(count: int) -> NDArray[np.uint8]:
    """Of 2.4 to 3.4 px: the small picture shows that they are there, but not where, once a copy is cropped."""
    random, across = np.random.default_rng(0), np.arange(32)[None, None, :]
    stripes = 128 + random.normal(0, 3, (count, 32, 32))
    for period in (2.4, 2.9, 3.4):
        bent = 0.3 * random.normal(size=(count, 32, 1)).cumsum(axis=1)
        stripes += 30 * np.sin(across * 2 * np.pi / period + bent)
    return stripes.clip(0, 255).astype(np.uint8)


def test_planted_copies_are_found_and_nothing_else() -> None:
    """Also where half of the pictures are copies, so that many of the pairs that calibrate are."""
    grey = np.concatenate([PICTURES, plant(PICTURES)])

    likeness = find(grey)

    assert {(pair.first, pair.second) for pair in likeness.pairs} == {(row, row + 120) for row in range(120)}
    assert likeness.groups == tuple((row, row + 120) for row in range(120))
    assert not any(pair.turned for pair in likeness.pairs)


def test_different_pictures_have_no_near_duplicates() -> None:
    likeness = find(make_pictures(400, seed=1), [row % 10 for row in range(400)])

    assert (likeness.pairs, likeness.groups, likeness.oversized, likeness.note) == ((), (), (), None)


def test_every_row_is_told_once_when_it_is_done() -> None:
    """Copies that are asked again for more of them, and rows that are not compared, are no reason to count wrong."""
    grey = np.concatenate(
        [make_pictures(2100, seed=3), np.repeat(PICTURES[:1], 7, axis=0), np.zeros_like(PICTURES[:5])]
    )
    told: list[int] = []

    find_near_duplicates(statistics_of(grey), np.zeros(len(grey), dtype=np.int64), on_rows=told.append)

    assert sum(told) == len(grey)
    assert len(told) > 2


def test_a_mirrored_copy_is_found_and_said_to_be_turned() -> None:
    likeness = find(np.concatenate([PICTURES, PICTURES[:3, :, ::-1]]))

    assert likeness.groups == ((0, 120), (1, 121), (2, 122))
    assert all(pair.turned for pair in likeness.pairs)


def test_pictures_of_nothing_are_no_duplicates_of_each_other() -> None:
    """Forty photos of an even wall are forty photos; that they were not compared is said."""
    walls = (200 + np.random.default_rng(0).normal(0, 0.6, (40, 32, 32))).round().astype(np.uint8)

    likeness = find(np.concatenate([PICTURES, walls]))

    assert likeness.pairs == ()
    assert likeness.note == "40 pictures with too little to see in them could not be compared"


def test_byte_for_byte_copies_are_named_once() -> None:
    """They are one group already; as near duplicates they would only be named again."""
    grey = np.concatenate([PICTURES, PICTURES[:1], plant(PICTURES[:1])])
    digests = [f"{row:064d}" for row in (*range(120), 0, 120)]

    likeness = find_near_duplicates(statistics_of(grey, digests), np.zeros(len(grey), dtype=np.int64))

    assert likeness.groups == ((0, 121),)


def test_the_order_of_the_rows_does_not_matter() -> None:
    """Not even for the threshold: which pictures are copied for it, and how, is decided by their digests."""
    grey = np.concatenate([make_pictures(233, seed=3), fine_stripes(7), plant(PICTURES[:20]), PICTURES[:20, :, ::-1]])
    statistics, targets = statistics_of(grey), np.arange(280) % 3
    before = find_near_duplicates(statistics, targets)

    for seed in range(3):
        order = np.random.default_rng(seed).permutation(280)
        after = find_near_duplicates(statistics.take(order), targets[order])

        assert len(before.groups) == 20
        assert after.threshold == before.threshold
        assert {frozenset(group) for group in before.groups} == {
            frozenset(order[row] for row in group) for group in after.groups
        }
        assert [pair.correlation for pair in before.pairs] == [pair.correlation for pair in after.pairs]


def test_all_of_many_copies_are_found() -> None:
    """Ten files hold the same pixels, ten others a brighter version: the nearest three of each are among its own."""
    rows = [0] * 10 + [1] * 10
    copies = np.stack([PICTURES[0], (PICTURES[0] * 1.15).clip(0, 255).astype(np.uint8)])[rows]
    grey = np.concatenate([make_pictures(380, seed=2), copies])

    likeness = find(grey)

    assert likeness.groups == (tuple(range(380, 400)),)


def test_a_group_of_more_than_a_twentieth_of_a_class_is_reported_and_not_merged() -> None:
    """Merged, it would take a class out of two splits of three; a person should look at it."""
    grey = np.concatenate([PICTURES, np.repeat(PICTURES[:1], 7, axis=0)])

    likeness = find(grey)

    assert (likeness.groups, likeness.oversized) == ((), ((0, *range(120, 127)),))


def test_a_few_copies_are_merged_however_small_the_class_is() -> None:
    likeness = find(np.concatenate([PICTURES[:12], PICTURES[:1], PICTURES[:1]]))

    assert (likeness.groups, likeness.oversized) == (((0, 12, 13),), ())


@pytest.mark.parametrize("count", [0, 1, 2])
def test_next_to_no_pictures_are_no_error(count: int) -> None:
    assert find(PICTURES[:count]).groups == ()


def test_a_class_of_nothing_but_copies_still_shows_how_alike_different_pictures_are() -> None:
    """Each picture in five forms: one pair in 25 is one picture, and says nothing about different ones."""
    forms = plant(np.repeat(PICTURES[:20], 5, axis=0))

    likeness = find(forms)

    assert calibrate(forms[np.random.default_rng(0).permutation(100)], np.zeros(100, dtype=np.int64)).different < 0.6
    assert likeness.groups == tuple(tuple(range(start, start + 5)) for start in range(0, 100, 5))


def test_the_threshold_is_higher_where_different_pictures_are_alike() -> None:
    """Hands before one wall correlate as copies do elsewhere; a fixed threshold would join them."""
    common = PICTURES[0].astype(float) - 128
    alike = (128 + 0.85 * common + 0.5 * (PICTURES[1:] - 128.0)).clip(0, 255).astype(np.uint8)
    targets = np.zeros(119, dtype=np.int64)

    usual, raised = calibrate(PICTURES[1:], targets), calibrate(alike, targets)

    assert usual.different < 0.5 < 0.75 < raised.different < raised.together < raised.threshold < raised.copies
    assert usual.threshold < raised.threshold
    assert find(alike).pairs == ()


def test_where_cropped_copies_are_unlike_their_originals_nothing_is_guessed() -> None:
    stripes = fine_stripes(60)

    likeness = find(np.concatenate([stripes, stripes[:1]]))

    assert likeness.threshold == 0.98
    assert [(pair.first, pair.second) for pair in likeness.pairs] == [(0, 60)]
    assert likeness.note and "cropped copies cannot be told" in likeness.note


def table_of(pictures: list[bytes]) -> StatisticsTable:
    rows = [measure_picture(data, decode(data, at_least=(128, 128))) for data in pictures]
    return StatisticsTable.from_rows([sha256_of(data) for data in pictures], rows)


def changed(data: bytes, random: np.random.Generator) -> bytes:
    """Resized to 0.5 to 0.8 and perhaps back, brightened by 1.1 to 1.3, and encoded again at quality 40 to 70."""
    image = decode(data)
    share = random.uniform(0.5, 0.8)
    small = image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.BICUBIC)
    resized = small.resize(image.size, Image.Resampling.BICUBIC) if random.random() < 0.5 else small
    stored = io.BytesIO()
    brightened = ImageEnhance.Brightness(resized).enhance(random.uniform(1.1, 1.3))
    brightened.save(stored, "JPEG", quality=int(random.integers(40, 71)))
    return stored.getvalue()


@pytest.mark.parametrize("name", ["sdnet2018-decks", "sign-digits", "flower-photos-small"])
def test_planted_copies_are_found_in_real_pictures(shared_data: Path, name: str) -> None:
    """Concrete that is nothing but texture, and hands that are nothing but alike."""
    found = sorted(path for path in (shared_data / "datasets" / name).rglob("*") if path.suffix in (".jpg", ".JPG"))
    paths = found[:: len(found) // 200][:200]
    originals = [path.read_bytes() for path in paths]
    random = np.random.default_rng(0)
    copies = [changed(data, random) for data in originals[::10]]
    targets = np.unique([path.parent.name for path in paths], return_inverse=True)[1].astype(np.int64)

    likeness = find_near_duplicates(table_of([*originals, *copies]), np.concatenate([targets, targets[::10]]))

    planted = {(10 * number, 200 + number) for number in range(20)}
    pairs = {(pair.first, pair.second) for pair in likeness.pairs}
    assert len(pairs & planted) >= 19
    assert not pairs - planted
