"""Drift: 0 by chance, and the share of pictures that moved, at least, where they did."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from service.drift import CERTAINTY, drift_of, label_drift, novelty_drift
from service.prediction_counts import NOVELTY_EDGES
from service.recent_pictures import BLOCK_PICTURES, Recent, RecentPictures, Stretch
from shared.bundle import ReferenceInfo, Thresholds
from tests.service.fakes import fake_generation

EDGES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
DRAWS = 300
ALARM = 0.05
SHARES = {"two even": [0.5, 0.5], "one rare": [0.95, 0.05], "ten": [0.1] * 10, "many": [1 / 101] * 101}


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize("pictures", [200, 2000])
def test_labels_that_are_spread_as_in_training_raise_no_alarm(shares: list[float], pictures: int) -> None:
    """Also of a hundred labels and two hundred pictures, of which chance alone puts a third elsewhere."""
    draw = np.random.default_rng(0)
    found = [
        label_drift(
            draw.multinomial(pictures // 10, shares, size=10), draw.multinomial(500, shares), effective=500
        ).at_least
        for _ in range(DRAWS)
    ]

    assert sum(drift > ALARM for drift in found) == 0
    assert sum(drift > 0 for drift in found) <= 0.02 * DRAWS


def test_a_label_whose_share_is_more_than_doubled_is_seen() -> None:
    draw, now = np.random.default_rng(0), [0.22, *[0.78 / 9] * 9]
    found = [
        label_drift(draw.multinomial(100, now, size=20), draw.multinomial(1500, [0.1] * 10), effective=1500).at_least
        for _ in range(50)
    ]

    assert min(found) > 0.04
    assert max(found) < 0.12, "a lower bound of what moved"


def test_one_label_among_a_hundred_is_seen_though_the_sum_is_noise() -> None:
    reference = np.full(101, 15)
    now = np.full(101, 17)
    now[7] += 283

    found = label_drift(alike(now), reference, effective=1515).at_least

    share = now[7] / now.sum()
    pooled = (now[7] + 15) / (now.sum() + 1515)
    expected = share - 1 / 101 - CERTAINTY * np.sqrt(pooled * (1 - pooled) * (1 / now.sum() + 1 / 1515))
    assert found == pytest.approx(expected - CERTAINTY**2 / 3 / now.sum())
    assert found > ALARM


def test_a_reference_of_few_groups_proves_less() -> None:
    now, then = alike(np.array([700, 300])), np.array([100, 100])

    much, little = (label_drift(now, then, effective=effective) for effective in (200, 50))

    assert much.at_least > little.at_least >= 0
    assert much.sees_from < little.sees_from


def alike(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two stretches, each with half of the pictures of each label: nothing speaks for scenes that repeat."""
    return np.array([counts // 2, counts - counts // 2])


def by_bin(novelty: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pictures by stretch, of which there are ten, and bin."""
    ends = [0, *EDGES, 2]
    return np.array([np.histogram(part, ends)[0] for part in np.array_split(novelty, 10)])


@pytest.mark.parametrize("pictures", [200, 2000])
def test_novelty_as_it_is_by_definition_raises_no_alarm(pictures: int) -> None:
    draw = np.random.default_rng(0)
    found = [novelty_drift(by_bin(draw.uniform(size=pictures)), EDGES, effective=2000).at_least for _ in range(DRAWS)]

    assert sum(drift > ALARM for drift in found) == 0
    assert sum(drift > 0 for drift in found) <= 0.02 * DRAWS


def test_unfamiliar_pictures_are_told_by_their_share_at_least() -> None:
    draw = np.random.default_rng(0)
    novelty = draw.permutation(np.concatenate([draw.uniform(size=1600), np.full(400, 0.999)]))

    assert 0.1 < novelty_drift(by_bin(novelty), EDGES, effective=1000).at_least < 0.2


def test_pictures_that_are_all_known_are_no_drift() -> None:
    """A client that sends the training's own pictures is odd, but none of them is novel."""
    assert novelty_drift(by_bin(np.full(500, 0.05)), EDGES, effective=500).at_least == 0


def window(labels: NDArray[np.int64], novelty: NDArray[np.float64], *, each: int) -> Recent:
    """What is in the window after each picture has been sent so many times."""
    told = RecentPictures(len(NOVELTY_EDGES))
    for label, one in zip(labels.tolist(), novelty.tolist(), strict=True):
        for _ in range(each):
            told.add(str(label), int(np.searchsorted(NOVELTY_EDGES, one)))
    return told.read()


@pytest.mark.parametrize("each", [5, BLOCK_PICTURES])
@pytest.mark.parametrize("pictures", [200, 2000])
@pytest.mark.parametrize("label_count", [2, 10, 101])
def test_a_scene_that_is_sent_again_and_again_is_no_drift(label_count: int, pictures: int, each: int) -> None:
    """A camera that sees nothing new; its pictures are as those of the training, but fewer than they look."""
    draw = np.random.default_rng(0)
    labels = tuple(str(number) for number in range(label_count))
    scenes, found = pictures // each, []
    for _ in range(30):
        counts = tuple(draw.multinomial(1500, [1 / label_count] * label_count).tolist())
        reference = ReferenceInfo(pictures=1500, groups=1500, effective=1500, counts=counts, novelty_effective=1500)
        metadata = fake_generation(labels=labels, reference=reference).bundle.metadata
        recent = window(draw.integers(0, label_count, scenes), draw.uniform(size=scenes), each=each)
        found.append(drift_of(metadata, recent, edges=NOVELTY_EDGES))

    assert sum((one.label or 0) > ALARM for one in found) <= 1
    assert sum((one.novelty or 0) > ALARM for one in found) <= 1


def test_what_the_labels_signal_sees_from_is_what_it_sees() -> None:
    """A tenth more is above 0, and a tenth less is not."""
    then = np.array([1000, 1000])
    sees_from = label_drift(alike(then), then, effective=2000).sees_from

    more, less = (np.array([1000 + moved, 1000 - moved]) for moved in (int(2200 * sees_from), int(1800 * sees_from)))

    assert label_drift(alike(more), then, effective=2000).at_least > 0
    assert label_drift(alike(less), then, effective=2000).at_least == 0


def test_what_the_novelty_signal_sees_from_is_what_it_sees() -> None:
    even = np.linspace(0, 1, 2000, endpoint=False)[np.random.default_rng(0).permutation(2000)]
    sees_from = novelty_drift(by_bin(even), EDGES, effective=2000).sees_from

    def seen(share: float) -> float:
        moved = np.where(np.arange(2000) % 1000 < 1000 * share, 0.999, even)
        return novelty_drift(by_bin(np.random.default_rng(1).permutation(moved)), EDGES, effective=2000).at_least

    assert seen(1.3 * sees_from) > 0 == seen(0.7 * sees_from)


REFERENCE = ReferenceInfo(pictures=300, groups=300, effective=300, counts=(100, 100, 100), novelty_effective=250)
NOVEL = Thresholds(unfamiliar=0.99)


def recent(red: int, green: int, blue: int, *, novelty: tuple[int, ...] = (0,) * 10) -> Recent:
    """Ten stretches that are all alike."""
    labels = Counter({"red": red // 10, "green": green // 10, "blue": blue // 10})
    return Recent([Stretch(labels, [pictures // 10 for pictures in novelty])] * 10)


def test_a_version_is_compared_with_its_own_reference() -> None:
    metadata = fake_generation(reference=REFERENCE, thresholds=NOVEL).bundle.metadata

    found = drift_of(metadata, recent(1000, 0, 0, novelty=(0,) * 9 + (1000,)), edges=EDGES.tolist())

    assert (found.pictures, found.label_reason, found.novelty_reason) == (1000, "", "")
    assert found.label is not None and 0.5 < found.label < 2 / 3
    assert found.novelty is not None and 0.7 < found.novelty < 0.9
    assert found.label_sees_from is not None and 0.05 < found.label_sees_from < 0.3
    assert found.novelty_sees_from is not None and 0.03 < found.novelty_sees_from < 0.1


@pytest.mark.parametrize(
    ("reference", "pictures", "why"),
    [(None, 1000, "the bundle has no reference"), (REFERENCE, 190, "190 pictures of late, 200 are needed")],
)
def test_where_nothing_can_be_said_the_reason_is(reference: ReferenceInfo | None, pictures: int, why: str) -> None:
    metadata = fake_generation(reference=reference).bundle.metadata

    found = drift_of(metadata, recent(pictures, 0, 0), edges=EDGES.tolist())

    assert (found.label, found.novelty) == (None, None)
    assert why in found.label_reason and why in found.novelty_reason


def test_novelty_that_is_known_of_too_few_pictures_says_nothing() -> None:
    metadata = fake_generation(reference=REFERENCE, thresholds=NOVEL).bundle.metadata

    found = drift_of(metadata, recent(100, 100, 100, novelty=(10,) * 10), edges=EDGES.tolist())

    assert found.label == 0
    assert (found.novelty, found.novelty_reason) == (None, "100 pictures of late, 200 are needed")


def test_a_model_without_novelty_has_the_other_signal() -> None:
    reference = REFERENCE.model_copy(update={"novelty_effective": None})
    thresholds = Thresholds(novelty_reason="60 training pictures")
    metadata = fake_generation(reference=reference, thresholds=thresholds).bundle.metadata

    found = drift_of(metadata, recent(100, 100, 100), edges=EDGES.tolist())

    assert (found.label, found.novelty, found.novelty_reason) == (0, None, "60 training pictures")
