"""Drift: 0 by chance, and the share of pictures that moved, at least, where they did."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.drift import CERTAINTY, drift_of, label_drift, novelty_drift
from service.recent_pictures import Recent
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
        label_drift(draw.multinomial(pictures, shares), draw.multinomial(500, shares), effective=500)
        for _ in range(DRAWS)
    ]

    assert sum(drift > ALARM for drift in found) == 0
    assert sum(drift > 0 for drift in found) <= 0.02 * DRAWS


def test_a_label_whose_share_is_more_than_doubled_is_seen() -> None:
    draw, now = np.random.default_rng(0), [0.22, *[0.78 / 9] * 9]
    found = [
        label_drift(draw.multinomial(2000, now), draw.multinomial(1500, [0.1] * 10), effective=1500) for _ in range(50)
    ]

    assert min(found) > 0.04
    assert max(found) < 0.12, "a lower bound of what moved"


def test_one_label_among_a_hundred_is_seen_though_the_sum_is_noise() -> None:
    reference = np.full(101, 15)
    now = np.full(101, 17)
    now[7] += 283

    found = label_drift(now, reference, effective=1515)

    share = now[7] / now.sum()
    pooled = (now[7] + 15) / (now.sum() + 1515)
    expected = share - 1 / 101 - CERTAINTY * np.sqrt(pooled * (1 - pooled) * (1 / now.sum() + 1 / 1515))
    assert found == pytest.approx(expected - CERTAINTY**2 / 3 / now.sum())
    assert found > ALARM


def test_a_reference_of_few_groups_proves_less() -> None:
    now, then = np.array([700, 300]), np.array([100, 100])

    assert label_drift(now, then, effective=200) > label_drift(now, then, effective=50) >= 0


def up_to(novelty: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.array([(novelty <= edge).sum() for edge in EDGES])


@pytest.mark.parametrize("pictures", [200, 2000])
def test_novelty_as_it_is_by_definition_raises_no_alarm(pictures: int) -> None:
    draw = np.random.default_rng(0)
    found = [
        novelty_drift(up_to(draw.uniform(size=pictures)), EDGES, pictures=pictures, effective=2000)
        for _ in range(DRAWS)
    ]

    assert sum(drift > ALARM for drift in found) == 0
    assert sum(drift > 0 for drift in found) <= 0.02 * DRAWS


def test_strangers_are_told_by_their_share_at_least() -> None:
    draw = np.random.default_rng(0)
    novelty = np.concatenate([draw.uniform(size=1600), np.full(400, 0.999)])

    assert 0.1 < novelty_drift(up_to(novelty), EDGES, pictures=2000, effective=1000) < 0.2


def test_pictures_that_are_all_known_are_no_drift() -> None:
    """A client that sends the training's own pictures is odd, but none of them is novel."""
    assert novelty_drift(up_to(np.full(500, 0.05)), EDGES, pictures=500, effective=500) == 0


REFERENCE = ReferenceInfo(pictures=300, groups=300, effective=300, counts=(100, 100, 100), novelty_effective=250)
NOVEL = Thresholds(unfamiliar=0.99)


def recent(red: int, green: int, blue: int, *, novelty: tuple[int, ...] = (0,) * 10) -> Recent:
    labels = {"red": red, "green": green, "blue": blue}
    return Recent(red + green + blue, labels, novelty)  # type: ignore[arg-type]


def test_a_version_is_compared_with_its_own_reference() -> None:
    metadata = fake_generation(reference=REFERENCE, thresholds=NOVEL).bundle.metadata

    found = drift_of(metadata, recent(1000, 0, 0, novelty=(0,) * 9 + (1000,)), edges=EDGES.tolist())

    assert (found.pictures, found.label_reason, found.novelty_reason) == (1000, "", "")
    assert found.label is not None and 0.5 < found.label < 2 / 3
    assert found.novelty is not None and 0.7 < found.novelty < 0.9


@pytest.mark.parametrize(
    ("reference", "pictures", "why"),
    [(None, 1000, "the bundle has no reference"), (REFERENCE, 199, "199 pictures of late, 200 are needed")],
)
def test_where_nothing_can_be_said_the_reason_is(reference: ReferenceInfo | None, pictures: int, why: str) -> None:
    metadata = fake_generation(reference=reference).bundle.metadata

    found = drift_of(metadata, recent(pictures, 0, 0), edges=EDGES.tolist())

    assert (found.label, found.novelty) == (None, None)
    assert why in found.label_reason and why in found.novelty_reason


def test_a_model_without_novelty_has_the_other_signal() -> None:
    reference = REFERENCE.model_copy(update={"novelty_effective": None})
    thresholds = Thresholds(novelty_reason="60 training pictures")
    metadata = fake_generation(reference=reference, thresholds=thresholds).bundle.metadata

    found = drift_of(metadata, recent(100, 100, 100), edges=EDGES.tolist())

    assert (found.label, found.novelty, found.novelty_reason) == (0, None, "60 training pictures")
