"""What the options mean for a backbone, and what is worth a try where they leave it open."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.preprocess import PreprocessSpec, preprocess
from trainer.catalogue import NANO, backbone_names, get_entry
from trainer.errors.features import NoMiddleStage, SizeRefused
from trainer.feature_choices import (
    base_choice,
    candidate_choices,
    cost_of,
    in_words,
    prepared_for,
    rendered_apart,
)
from trainer.recipe import FeatureChoice
from trainer.settings import TrainSettings
from trainer.taps import worth_a_try

MOBILENET = get_entry("mobilenet_v2")


def settings(**options: Any) -> TrainSettings:
    return TrainSettings.model_validate({"data": "data"} | options)


@pytest.mark.parametrize("name", backbone_names())
def test_where_nothing_is_asked_for_features_are_those_of_the_preset(name: str) -> None:
    entry = get_entry(name)

    assert base_choice(entry, settings()) == FeatureChoice(entry.spec)
    assert candidate_choices(entry, settings()) == (FeatureChoice(entry.spec),)


def test_each_option_is_taken_as_it_is_given() -> None:
    given = settings(image_size=320, fit="pad", taps="features.13,features.6", mirror=True)

    choice = base_choice(MOBILENET, given)

    assert (choice.spec.height, choice.spec.width, choice.spec.fit) == (320, 320, "pad")
    assert (choice.taps, choice.mirror) == (("features.13", "features.6"), True)
    assert candidate_choices(MOBILENET, given) == (choice,)


def test_a_crop_leaves_the_same_share_of_a_picture_at_every_size() -> None:
    """Only what is asked for changes: with the preset's resize, 256 px, a larger crop would leave other parts."""
    assert prepared_for(MOBILENET, 224, "crop") == MOBILENET.spec
    assert prepared_for(MOBILENET, 320, "crop").resize / 320 == pytest.approx(256 / 224, rel=2e-3)


def test_what_is_not_cropped_is_decoded_at_its_own_size() -> None:
    """The preset's resize plays no part there, and must not tell two equal ways of preparing apart."""
    assert prepared_for(MOBILENET, 224, "stretch").decode_at_least == (224, 224)
    assert prepared_for(get_entry("resnet18"), 224, "pad") == prepared_for(MOBILENET, 224, "pad")


def test_fits_that_give_the_same_pixels_of_a_square_are_one() -> None:
    """MobileNetV2's preset crops 256 px to 224; a crop that takes all of the picture is the stretched one."""
    squares = Image.fromarray(np.random.default_rng(3).integers(0, 256, (300, 300, 3), np.uint8))
    nothing_cropped = MOBILENET.spec.model_copy(update={"resize": 224})
    every = [FeatureChoice(prepared_for(MOBILENET, 224, fit)) for fit in ("crop", "stretch", "pad")]
    every.append(FeatureChoice(nothing_cropped))

    apart = rendered_apart(every, first=every[0])

    crop, stretch, pad, whole = (preprocess(squares, one.spec) for one in every)
    assert [one.spec.fit for one in apart] == ["crop", "stretch"]
    assert np.array_equal(stretch, pad) and np.array_equal(stretch, whole) and not np.array_equal(crop, stretch)


def test_of_equal_renderings_the_one_that_was_asked_for_is_kept() -> None:
    stretch, pad = (FeatureChoice(prepared_for(MOBILENET, 224, fit)) for fit in ("stretch", "pad"))

    assert rendered_apart([stretch, pad], first=pad) == (pad,)
    assert rendered_apart([stretch, replace(stretch, mirror=True)], first=stretch) == (
        stretch,
        replace(stretch, mirror=True),
    )


def test_the_middle_stage_is_the_catalogues() -> None:
    assert base_choice(MOBILENET, settings(taps="middle")).taps == ("features.13", "features.16", "features.17")
    assert base_choice(MOBILENET, settings(taps="none")).taps == ()
    assert base_choice(MOBILENET, settings(taps="middle,middle:peaks")).taps == (
        *MOBILENET.middle_stages,
        *(f"{stage}:peaks" for stage in MOBILENET.middle_stages),
    )
    assert base_choice(MOBILENET, settings(taps="features.6:quarters,features.6:average")).taps == (
        "features.6:quarters",
        "features.6",
    )


@pytest.mark.parametrize("name", ["vit_b_16", NANO])
def test_a_backbone_without_a_middle_stage_says_so(name: str) -> None:
    with pytest.raises(NoMiddleStage, match=f"--taps middle: {name} has no middle stage.*--taps none"):
        base_choice(get_entry(name), settings(taps="middle"))

    assert {choice.taps for choice in candidate_choices(get_entry(name), settings(taps="auto"))} == {()}


@pytest.mark.parametrize(
    ("name", "side", "takes"),
    [
        ("vit_b_16", 256, "224 px and no other"),
        ("inception_v3", 64, "75 px or more"),
        ("vgg16", 320, "multiples of 224 px"),
    ],
)
def test_a_size_that_a_backbone_cannot_take_is_refused_with_those_it_can(name: str, side: int, takes: str) -> None:
    with pytest.raises(SizeRefused, match=f"--image-size {side}: {name} takes {takes}"):
        base_choice(get_entry(name), settings(image_size=side))


def test_a_search_opens_what_is_not_given() -> None:
    found = candidate_choices(MOBILENET, settings(search=True, fit="stretch"))

    assert {(choice.spec.height, choice.taps) for choice in found} == {
        (side, taps) for side in (224, 320) for taps in worth_a_try(MOBILENET.middle_stages)
    }
    assert {choice.spec.fit for choice in found} == {"stretch"}


def test_auto_opens_one_option_alone() -> None:
    found = candidate_choices(MOBILENET, settings(fit="auto"))

    assert [choice.spec.fit for choice in found] == ["crop", "stretch", "pad"]
    assert {(choice.spec.height, choice.taps) for choice in found} == {(224, ())}


def test_candidates_begin_with_the_preset_and_never_get_cheaper() -> None:
    found = candidate_choices(MOBILENET, settings(search=True))

    costs = [cost_of(choice, MOBILENET) for choice in found]
    assert found[0] == FeatureChoice(MOBILENET.spec)
    assert costs == sorted(costs)
    assert len(set(found)) == len(found)


def test_nothing_costs_more_than_was_allowed() -> None:
    assert max(cost_of(choice, MOBILENET) for choice in candidate_choices(MOBILENET, settings(search=True))) > 2

    frugal = candidate_choices(MOBILENET, settings(search=True, max_cost=2))

    assert {choice.spec.height for choice in frugal} == {224}


def test_a_size_that_was_given_is_not_ruled_out_by_its_cost() -> None:
    found = candidate_choices(MOBILENET, settings(image_size=512, taps="none", search=True, max_cost=1))

    assert [choice.spec.fit for choice in found] == ["crop", "stretch", "pad"]


@pytest.mark.parametrize("name", backbone_names())
def test_every_candidate_is_one_that_the_backbone_takes(name: str) -> None:
    """A search must not end in the middle because of a size."""
    entry = get_entry(name)

    for choice in candidate_choices(entry, settings(search=True)):
        assert prepared_for(entry, choice.spec.height, choice.spec.fit) == choice.spec


def test_cost_counts_pixels_and_both_sides() -> None:
    assert cost_of(FeatureChoice(MOBILENET.spec, ("features.13",)), MOBILENET) == 1
    assert cost_of(FeatureChoice(PreprocessSpec(height=448, width=448, resize=512)), MOBILENET) == 4
    assert cost_of(FeatureChoice(MOBILENET.spec, mirror=True), MOBILENET) == 2


def test_a_choice_is_told_in_words() -> None:
    choice = FeatureChoice(prepared_for(MOBILENET, 320, "stretch"), ("features.13",), mirror=True)

    assert in_words(choice) == "320 px, stretch, with features.13, and mirrored"
    assert in_words(FeatureChoice(MOBILENET.spec)) == "224 px, crop"
