from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from shared.preprocess import PreprocessSpec
from tests.trainer.blobs import make_blobs
from trainer.progress import Quiet
from trainer.recipe import FeatureChoice, FeatureRows
from trainer.recipe_plan import FEW, SMALL, VIEWS, make_plan
from trainer.recipe_search import Plan
from trainer.samples import Sample
from trainer.settings import TrainSettings
from trainer.taps import has_quarters, worth_a_try
from trainer.training import Training

PRESET = FeatureChoice(PreprocessSpec())
LARGER = FeatureChoice(PreprocessSpec(height=320, width=320, resize=366))


@dataclass
class Library:
    """Counts what is read; a picture costs as many times the preset as it has pixels, and twice that mirrored."""

    choices: tuple[FeatureChoice, ...] = (PRESET,)
    read: list[tuple[FeatureChoice, int]] = field(default_factory=list)
    announced: int = 0
    views_tried: int = 0

    base = PRESET
    progress = Quiet()

    columns: int = 4

    def columns_of(self, choice: FeatureChoice, *, of_base: int) -> int:
        return self.columns

    def candidates(self) -> tuple[FeatureChoice, ...]:
        return self.choices

    def cost_of(self, choice: FeatureChoice) -> float:
        return (choice.spec.height / 224) ** 2 * (2 if choice.mirror else 1)

    def announce(self, choices: list[tuple[FeatureChoice, int]], *, views_tried: int) -> None:
        self.announced, self.views_tried = len(choices), views_tried

    def rows_to_fit(self, choice: FeatureChoice, views: int = 0) -> FeatureRows:
        self.read.append((choice, views))
        return FeatureRows(np.zeros((4, 2), np.float32), np.zeros((views, 4, 2), np.float32))


def training(count: int, *, classes: int = 2) -> Training:
    features, targets, groups = make_blobs(count, features=4, classes=classes)
    labels = tuple("abcdefgh"[:classes])
    samples = tuple(
        Sample(f"{row}.png", f"{row}.png", labels[target], group, None)
        for row, (target, group) in enumerate(zip(targets, groups, strict=True))
    )
    return Training(samples, labels, features, targets, tuple(groups), ("train",) * count)


def tried(plan: Plan) -> list[str]:
    """Names of everything that is tried while the first one of each step stays the best."""
    first = plan.candidates[0]
    return [first.name, *(one.name for step in plan.refinements for one in step(first.recipe))]


def names(count: int, *, choices: tuple[FeatureChoice, ...] = (PRESET,), **options: object) -> list[str]:
    settings = TrainSettings.model_validate({"data": "pets"} | options)
    return tried(make_plan(Library(choices), training(count), settings))


def test_a_large_set_has_nothing_to_choose_unasked() -> None:
    assert names(SMALL + 2) == ["probe on 224 px, crop"]


def test_a_small_set_tries_the_mirror_image_as_a_view() -> None:
    assert names(SMALL) == ["probe on 224 px, crop", f"probe on 224 px, crop, {VIEWS} view"]
    assert names(SMALL, views=0) == ["probe on 224 px, crop"]


def test_few_pictures_of_a_label_try_a_prototype_head() -> None:
    assert names(2 * FEW, views=0) == ["probe on 224 px, crop"]
    assert names(2 * FEW - 1, views=0) == ["probe on 224 px, crop", "prototype on 224 px, crop"]
    assert names(2 * FEW - 1, views=0, head="probe") == ["probe on 224 px, crop"]


def test_a_search_tries_heads_features_perceptron_and_a_view_in_that_order() -> None:
    assert names(SMALL + 2, choices=(PRESET, LARGER), search=True) == [
        "probe on 224 px, crop",
        "blend on 224 px, crop",
        "probe on 320 px, crop",
        "probe on 224 px, crop, and mirrored",
        "mlp on 224 px, crop",
        f"probe on 224 px, crop, {VIEWS} view",
    ]


def test_perceptron_and_view_must_be_better_beyond_doubt() -> None:
    settings = TrainSettings.model_validate({"data": "pets", "search": True})
    plan = make_plan(Library((PRESET, LARGER)), training(50), settings)

    doubts = [[one.doubt for one in step(plan.candidates[0].recipe)] for step in plan.refinements]

    assert doubts == [[1.0], [1.0, 1.0], [2.0], [2.0]]


def test_where_something_is_in_the_picture_is_asked_last_of_the_features_and_must_be_better_beyond_doubt() -> None:
    settings = TrainSettings.model_validate({"data": "pets", "search": True, "head": "probe", "views": 0})
    kinds = tuple(replace(PRESET, taps=taps) for taps in worth_a_try(["stage"]))
    plan = make_plan(Library(kinds), training(50), settings)

    features, quarters = [step(plan.candidates[0].recipe) for step in plan.refinements]

    assert {(has_quarters(one.recipe.features.taps), one.doubt, one.cost) for one in features} == {
        (False, 1.0, 1.0),
        (False, 1.0, 2.0),
    }
    assert {(one.recipe.features.taps, one.doubt) for one in quarters} == {(kinds[-1].taps, 2.0)}
    assert {one.recipe.features.mirror for one in quarters} == {False, True}
    assert min(one.cost for one in quarters) > 1.0, "what is less simple is not taken where it is no better"


def test_quarters_that_were_asked_for_are_no_question() -> None:
    quartered = replace(PRESET, taps=("stage:quarters",))

    assert names(SMALL + 2, choices=(quartered,)) == ["probe on 224 px, crop, with stage in quarters"]


def test_a_search_that_would_take_too_long_is_made_on_a_part_of_the_pictures_and_says_so() -> None:
    settings = {"data": "pets", "search": True, "max_search": 1.0}
    library = Library((PRESET, LARGER))
    library.columns = 4736
    small, large = (
        make_plan(library, training(count, classes=8), TrainSettings.model_validate(settings)) for count in (400, 8_000)
    )

    assert (small.compared, small.bound) == (400, "")
    assert large.compared is not None and 500 <= large.compared < 8_000
    assert f"compared on about {large.compared:,} of them" in large.bound
    assert len(large.refinements) == len(small.refinements)


def test_a_search_says_how_long_its_fits_take_and_one_that_has_nothing_to_choose_says_nothing() -> None:
    library = Library((PRESET, LARGER))
    library.progress = Quiet()

    make_plan(library, training(50), TrainSettings.model_validate({"data": "pets", "search": True}))
    assert library.progress.said == ["Fitting heads to compare up to 6 recipes takes about 1 s of a core."]

    library.choices, library.progress = (replace(PRESET, mirror=True),), Quiet()
    given = {"data": "pets", "search": True, "head": "probe", "views": 0, "mirror": True}
    make_plan(library, training(50), TrainSettings.model_validate(given))
    assert library.progress.said == []


def test_steps_that_the_bound_leaves_out_are_not_tried() -> None:
    settings = TrainSettings.model_validate({"data": "pets", "search": True, "max_search": 0.01})
    library = Library((PRESET, LARGER))
    library.columns = 4736

    plan = make_plan(library, training(1_000, classes=8), settings)

    assert tried(plan) == ["probe on 224 px, crop"]
    assert "nothing is compared" in plan.bound


@pytest.mark.parametrize("minutes", [0.03, 0.1, 10.0])
def test_what_the_bound_leaves_out_is_what_is_not_tried_also_where_a_step_has_nothing_to_try(minutes: float) -> None:
    """A mirrored recipe has no views to try: leaving these out would leave out nothing."""
    settings = {"data": "pets", "search": True, "mirror": True, "max_search": minutes}
    library = Library((replace(PRESET, mirror=True), replace(LARGER, mirror=True)))
    library.columns = 4736

    plan = make_plan(library, training(1_000, classes=8), TrainSettings.model_validate(settings))

    heads = {name.partition(" ")[0] for name in tried(plan)}
    assert ("mlp" in heads) == ("a perceptron" not in plan.bound)
    assert ("blend" in heads) == ("other heads" not in plan.bound)
    assert (plan.bound == "") == (minutes == 10.0)


def test_what_is_given_is_not_searched() -> None:
    assert names(50, search=True, head="sgd", views=3, max_cost=1.5) == ["sgd on 224 px, crop, 3 views"]


def test_a_mirrored_recipe_needs_no_mirror_image_as_a_view() -> None:
    settings = TrainSettings.model_validate({"data": "pets", "search": True, "head": "probe"})
    plan = make_plan(Library(), training(50), settings)
    mirrored = replace(plan.candidates[0].recipe, features=replace(PRESET, mirror=True))

    tried_beside = [one.recipe for step in plan.refinements for one in step(mirrored)]

    assert [recipe.views for recipe in tried_beside] == [0] * len(tried_beside)
    assert VIEWS in [one.recipe.views for step in plan.refinements for one in step(plan.candidates[0].recipe)]


@pytest.mark.parametrize("search", [False, True])
def test_features_are_read_once_and_those_of_the_run_are_there(search: bool) -> None:  # noqa: FBT001
    library, own = Library((PRESET, LARGER) if search else (PRESET,)), training(50)
    plan = make_plan(library, own, TrainSettings.model_validate({"data": "pets", "search": search}))
    recipe = plan.candidates[0].recipe

    for _ in range(2):
        for head in ("probe", "mlp"):
            plan.rows_of(replace(recipe, head=head))
            plan.rows_of(replace(recipe, head=head, features=LARGER))

    assert plan.rows_of(recipe).plain is own.features
    assert library.read == [(LARGER, 0)]
    assert (library.announced, library.views_tried) == ((3, VIEWS) if search else (0, 0))
