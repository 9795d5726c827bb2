"""A search says beforehand how long its fits take, and is kept within a bound without looking at the clock."""

from collections.abc import Sequence

import pytest

from trainer.search_bound import FEWEST, PlannedStep, SearchBound, find_bound
from trainer.search_cost import PlannedFit, seconds_of, seconds_of_all

PROBE = PlannedFit("probe", 1280)
STEPS = (
    PlannedStep("other heads", (PlannedFit("blend", 1280),)),
    PlannedStep("other features", (PlannedFit("blend", 1280),) * 8 + (PlannedFit("blend", 2432),) * 9),
    PlannedStep("quarters", (PlannedFit("blend", 4736),) * 9),
    PlannedStep("a perceptron", (PlannedFit("mlp", 1280),)),
    PlannedStep("views", (PlannedFit("blend", 1280, views=1),)),
)
"""What a search of MobileNetV2 tries."""


def bound(pictures: int, class_count: int, *, minutes: float = 10, steps: Sequence[PlannedStep] = STEPS) -> SearchBound:
    return find_bound([PROBE], steps, pictures=pictures, class_count=class_count, limit_s=60 * minutes)


@pytest.mark.parametrize(("pictures", "labels"), [(200, 5), (200, 2), (124, 2), (502, 2), (518, 10), (1212, 101)])
def test_sets_of_some_hundred_pictures_are_searched_as_without_a_bound(pictures: int, labels: int) -> None:
    """Those of docs/results.md: what stands there was measured without one."""
    found = bound(pictures, labels)

    assert not found.holds_back
    assert (found.compared, found.left_out) == (pictures, ())
    assert found.in_words().startswith("Fitting heads to compare up to 30 recipes takes about ")


def test_a_large_set_is_compared_on_as_many_pictures_as_the_bound_allows() -> None:
    found = bound(20_000, 10)

    assert FEWEST < found.compared < 20_000 and found.left_out == ()
    every = [PROBE, *(fit for step in STEPS for fit in step.fits)]
    assert seconds_of_all(every, found.compared, 10) <= 600 < seconds_of_all(every, found.compared + 1, 10)
    assert found.seconds <= 600 < found.unbounded_s


def test_more_time_means_more_pictures_and_none_is_no_bound() -> None:
    few, more = bound(20_000, 10, minutes=5), bound(20_000, 10, minutes=20)

    assert few.compared < more.compared
    assert not bound(20_000, 10, minutes=0).holds_back


def test_before_too_few_pictures_are_left_to_choose_by_the_last_steps_are_left_out() -> None:
    found = bound(5_000, 100, minutes=2)

    assert found.left_out and found.left_out == tuple(step.name for step in STEPS[-len(found.left_out) :])
    assert found.compared >= 1_000
    assert found.seconds <= 120


def test_where_not_even_two_recipes_can_be_compared_nothing_is() -> None:
    found = bound(50_000, 1_000, minutes=0.1)

    assert (found.fits, found.seconds, found.compared) == (0, 0.0, 50_000)
    assert found.left_out == tuple(step.name for step in STEPS)
    assert "nothing is compared" in found.in_words()


def test_what_is_left_out_is_told_with_the_option_that_changes_it() -> None:
    found = bound(20_000, 10, minutes=2)

    words = found.in_words()

    assert "20,000 pictures" in words and "--max-search 2:" in words
    assert f"on about {found.compared:,} of them" in words
    assert words.endswith("learns from all.")
    assert (
        bound(5_000, 100, minutes=2)
        .in_words()
        .endswith("Left out: " + ", ".join(bound(5_000, 100, minutes=2).left_out) + ".")
    )


def test_more_of_anything_takes_longer() -> None:
    assert seconds_of(PROBE, 2_000, 10) > seconds_of(PROBE, 1_000, 10)
    assert seconds_of(PROBE, 1_000, 20) > seconds_of(PROBE, 1_000, 10)
    assert seconds_of(PlannedFit("blend", 1280), 1_000, 10) > seconds_of(PROBE, 1_000, 10)
    assert seconds_of(PlannedFit("probe", 1280, views=1), 1_000, 10) == seconds_of(PROBE, 2_000, 10)
    assert seconds_of(PlannedFit("mlp", 2560), 1_000, 10) == 2 * seconds_of(PlannedFit("mlp", 1280), 1_000, 10)
