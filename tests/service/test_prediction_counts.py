"""Predictions are counted by model and version; few versions and labels become time series."""

import math
from collections.abc import Sequence

from prometheus_client.core import Metric

from service.answers import Answer
from service.generation import Generation
from service.prediction_counts import NOVELTY_EDGES, VERSIONS_KEPT, PredictionCounts
from service.prediction_families import LABELS_AS_SERIES, OTHER_LABELS, PredictionFamilies, folded, shown_labels
from shared.bundle import ReferenceInfo
from shared.prediction import Prediction
from tests.service.fakes import FakeClock, fake_generation

Series = dict[tuple[str, ...], float]


def answer(label: str = "red", *, novelty: float | None = 0.5, model: str = "colours", version: str = "v1") -> Answer:
    unfamiliar = None if novelty is None else novelty > 0.99
    return Answer([Prediction(label, 0.9)], novelty, unfamiliar, model, version)


def series(families: PredictionFamilies, served: Sequence[Generation], name: str) -> Series:
    by_name = {generation.name: generation for generation in served}
    found: list[Metric] = list(families.collect(by_name, by_name))
    return {
        tuple(sample.labels.values()): sample.value
        for family in found
        for sample in family.samples
        if sample.name == name
    }


def test_each_picture_is_counted_once() -> None:
    counts = PredictionCounts()
    for one in [answer("red"), answer("blue", novelty=0.995), answer("red", novelty=None), answer("red", novelty=1.0)]:
        counts.add(one)
    families, served = PredictionFamilies(counts), [fake_generation()]

    assert series(families, served, "finial_predictions_total") == {
        ("colours", "v1", "red"): 3,
        ("colours", "v1", "green"): 0,
        ("colours", "v1", "blue"): 1,
    }
    assert series(families, served, "finial_unfamiliar_total") == {("colours", "v1"): 2}
    assert series(families, served, "finial_novelty_count") == {("colours", "v1"): 3}
    assert series(families, served, "finial_novelty_sum") == {("colours", "v1"): 2.495}
    buckets = series(families, served, "finial_novelty_bucket")
    assert [buckets["colours", "v1", end] for end in ("0.4", "0.5", "0.99", "1.0", "+Inf")] == [0, 1, 1, 3, 3]


def test_novelty_at_the_end_of_a_bin_is_in_it() -> None:
    """As Prometheus has it: a bucket is up to and with its end."""
    counts = PredictionCounts()
    for edge in NOVELTY_EDGES:
        counts.add(answer(novelty=edge))

    assert counts.of("colours", "v1").novelty == [1] * len(NOVELTY_EDGES)


def test_novelty_that_is_no_number_is_left_out() -> None:
    """It would be in the sum for as long as the process lives, and count as the most familiar."""
    counts = PredictionCounts()
    for novelty in (0.25, math.nan, math.inf):
        counts.add(answer(novelty=novelty))

    told = counts.of("colours", "v1")

    assert (told.labels["red"], told.novelty_sum, sum(told.novelty)) == (3, 0.25, 1)
    assert [sum(stretch.novelty) for stretch in told.recent.read().stretches] == [1]


def test_a_new_version_begins_anew_and_the_old_one_keeps_what_it_said() -> None:
    """Also what it says later, of a picture that was under way at the swap."""
    counts = PredictionCounts()
    families = PredictionFamilies(counts)
    old, new = fake_generation(version="v1", reference=REFERENCE), fake_generation(version="v2", reference=REFERENCE)
    for _ in range(300):
        counts.add(answer("red"))
    before = series(families, [old], "finial_drift")
    for version in ("v2", "v1"):
        counts.add(answer("red", version=version))
    after = series(families, [new], "finial_predictions_total")

    assert before["colours", "label"] > 0.4
    assert (after["colours", "v1", "red"], after["colours", "v2", "red"]) == (301, 1)
    assert series(families, [new], "finial_drift") == {}
    assert series(families, [new], "finial_drift_pictures") == {("colours",): 1}
    assert series(families, [new], "finial_reference_share") == {
        ("colours", "v2", "red"): 0.2,
        ("colours", "v2", "green"): 0.4,
        ("colours", "v2", "blue"): 0.4,
    }


def test_versions_are_bounded_and_the_silent_ones_go() -> None:
    """A late answer of an old version does not push out the one that is served."""
    clock = FakeClock()
    counts = PredictionCounts(clock)
    for number in range(20):
        clock.advance(1)
        counts.add(answer(version=f"v{number}"))
    clock.advance(1)
    counts.add(answer(version="v3"))
    clock.advance(1)

    assert len(counts.versions("colours")) == VERSIONS_KEPT
    assert {"v3", "v19", "v18"} < counts.versions("colours").keys()


def test_a_model_that_is_gone_takes_its_series_along() -> None:
    counts = PredictionCounts()
    families = PredictionFamilies(counts)
    counts.add(answer())
    counts.add(answer(model="cats"))
    both = series(families, [fake_generation(), fake_generation("cats")], "finial_unfamiliar_total")

    assert both.keys() == {("colours", "v1"), ("cats", "v1")}
    assert series(families, [fake_generation()], "finial_unfamiliar_total").keys() == {("colours", "v1")}
    assert counts.versions("cats") == {}


REFERENCE = ReferenceInfo(pictures=300, groups=300, effective=300, counts=(60, 120, 120))
MANY = tuple(f"kind {number}" for number in range(1000))


def test_a_model_with_a_thousand_labels_has_few_series() -> None:
    """Those that the training met most have their own, all others are one; nothing is lost."""
    often = tuple(1000 * (number % 100 == 7) + 1 for number in range(1000))
    reference = ReferenceInfo(pictures=sum(often), groups=1, effective=1, counts=often)
    generation = fake_generation(labels=MANY, reference=reference)
    counts = PredictionCounts()
    for label in MANY:
        counts.add(answer(label))

    found = series(PredictionFamilies(counts), [generation], "finial_predictions_total")

    assert len(found) == LABELS_AS_SERIES + 1
    assert sum(found.values()) == 1000
    assert found["colours", "v1", "kind 907"] == 1
    assert found["colours", "v1", OTHER_LABELS] == 1000 - LABELS_AS_SERIES


def test_one_label_more_than_the_bound_needs_no_series_for_others() -> None:
    metadata = fake_generation(labels=MANY[: LABELS_AS_SERIES + 1]).bundle.metadata

    assert shown_labels(metadata) == metadata.labels


def test_a_label_that_is_called_like_the_others_is_added_to_them() -> None:
    assert folded({OTHER_LABELS: 2, "a": 3, "b": 4}, ("a", OTHER_LABELS)) == {"a": 3, OTHER_LABELS: 6}


def test_a_version_that_came_and_went_between_two_scrapes_is_told() -> None:
    """Nothing that was answered vanishes; and a thousand labels of it are no thousand series either."""
    counts = PredictionCounts()
    families = PredictionFamilies(counts)
    series(families, [fake_generation(version="v1")], "finial_predictions_total")
    for label in ("red", "red", "green", *MANY):
        counts.add(answer(label, version="v2"))
    found = series(families, [fake_generation(version="v3")], "finial_predictions_total")
    counts.add(answer("blue", version="v2"))  # its picture was under way at the swap
    later = series(families, [fake_generation(version="v3")], "finial_predictions_total")

    of_it = {labels: n for labels, n in found.items() if labels[1] == "v2"}
    assert sum(of_it.values()) == 3 + len(MANY)
    assert found["colours", "v2", "red"] == 2
    assert len(of_it) == LABELS_AS_SERIES + 1
    assert later["colours", "v2", OTHER_LABELS] == found["colours", "v2", OTHER_LABELS] + 1


def test_a_model_without_novelty_has_no_series_of_it() -> None:
    """Else it would be told that none of its pictures was unfamiliar, which nobody knows."""
    counts = PredictionCounts()
    families = PredictionFamilies(counts)
    counts.add(answer(novelty=None))
    counts.add(answer(model="cats", novelty=0.5))
    new = fake_generation("dogs", outputs=("probabilities", "logits", "features", "novelty"))
    served = [fake_generation(), fake_generation("cats"), new]

    for name in ("finial_unfamiliar_total", "finial_novelty_count"):
        assert series(families, served, name).keys() == {("cats", "v1"), ("dogs", "v1")}
