"""A recipe is chosen in float32 and made in int8: the numbers and the list of what was tried are of what is made."""

from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from shared.cpu_features import Cpu
from tests.trainer.test_recipe_search import FEATURES, GROUPS, LABELS, LARGER, NOISE, PRESET, TARGETS
from trainer.cross_validation import cross_validate
from trainer.fitting import FitOptions
from trainer.metrics import accuracy, sample_losses
from trainer.precision import plan_in, settle_precision
from trainer.progress import Quiet
from trainer.recipe import FeatureChoice, FeatureRows, Recipe, plain_rows
from trainer.recipe_search import Plan, search
from trainer.samples import Sample
from trainer.training import Measured, Training, measure

COARSE = np.round(FEATURES, 0)  # as int8 sees them


def rows_of(recipe: Recipe) -> FeatureRows:
    """Of the larger pictures features tell classes apart, of the preset's noise."""
    if recipe.features.spec != LARGER.recipe.features.spec:
        return plain_rows(NOISE)
    return plain_rows(COARSE if recipe.features.precision == "int8" else FEATURES)


PLAN = Plan((PRESET, LARGER), rows_of)
SAMPLES = tuple(
    Sample(f"{row}.png", f"{row}.png", LABELS[target], group, None)
    for row, (target, group) in enumerate(zip(TARGETS, GROUPS, strict=True))
)
TRAINING = Training(SAMPLES, LABELS, FEATURES, TARGETS, tuple(GROUPS), ("train",) * len(TARGETS))


CPU = Cpu("x86_64", frozenset({"avx2"}))


@dataclass
class Library:
    """What settling a precision asks of a library where nothing is timed."""

    progress: Quiet = field(default_factory=Quiet)
    cpu: Cpu = CPU
    computes_on_gpu: bool = False
    backbone: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(weights=SimpleNamespace(sha256="0" * 64)))

    def cost_of(self, choice: FeatureChoice) -> float:
        return (choice.spec.height / 224) ** 2


def test_where_a_gpu_computes_auto_stays_with_float32_and_says_why() -> None:
    """int8 would be timed on the CPU, which does not serve there."""
    measured = measure(TRAINING, seed=0, threads=1, plan=PLAN)

    def never(_plan: Plan) -> Measured:
        raise AssertionError("nothing is to be measured in int8")

    taken, choice = settle_precision("auto", TRAINING, PLAN, measured, Library(computes_on_gpu=True), never)  # type: ignore[arg-type]

    assert taken is measured
    assert (choice.taken, choice.reason) == ("float32", "float32, because a GPU computes here: int8 is for CPUs.")


@pytest.fixture(scope="module")
def in_int8() -> Measured:
    fit = partial(measure, TRAINING, seed=0, threads=1)
    measured = fit(plan=PLAN)
    library = Library()
    taken, _ = settle_precision("int8", TRAINING, PLAN, measured, library, lambda plan: fit(plan=plan))  # type: ignore[arg-type]
    return taken


def test_nested_folds_choose_in_float32_and_measure_in_int8() -> None:
    """With the recipe of all pictures held fixed, a held-out fold would have helped to choose it."""
    found = cross_validate(plan_in("int8", PLAN), TARGETS, GROUPS, LABELS, folds=3, seeds=(0,), threads=1)

    fixed = replace(LARGER.recipe, features=replace(LARGER.recipe.features, precision="int8"))
    alone = Plan((replace(LARGER, recipe=fixed),), rows_of)
    expected = cross_validate(alone, TARGETS, GROUPS, LABELS, folds=3, seeds=(0,), threads=1)
    assert [one.recipe for one in found.results] == ["larger, int8"] * 3
    assert [one.log_loss for one in found.results] == [one.log_loss for one in expected.results]


def test_rows_that_speak_for_another_recipe_have_that_one_in_int8() -> None:
    """So that a fold without some pictures does not profit from what these would have chosen."""
    first, last = np.arange(45), np.arange(45, 90)
    told = np.where(np.arange(90)[:, None] < 45, FEATURES, NOISE)
    otherwise = np.where(np.arange(90)[:, None] < 45, NOISE, FEATURES)
    plan = Plan((PRESET, LARGER), lambda recipe: plain_rows(told if recipe.features.spec.height == 320 else otherwise))

    found = [search(plan_in("int8", plan), rows, TARGETS, GROUPS, FitOptions(3, 0, 1)) for rows in (first, last)]

    assert [one.name for one in found] == ["larger, int8", "preset, int8"]
    assert {one.recipe.features.precision for one in found} == {"int8"}


def test_in_float32_the_plan_stays_as_it_is() -> None:
    assert plan_in("float32", PLAN) is PLAN


def test_what_is_marked_as_chosen_is_the_int8_form_with_its_own_numbers(in_int8: Measured) -> None:
    (taken,) = [one for one in in_int8.searched.tried if one.chosen]

    probabilities = in_int8.fit.out_of_fold_probabilities
    assert taken.name == in_int8.searched.name == "larger, int8"
    assert taken.recipe.features.precision == "int8"
    assert taken.accuracy == accuracy(probabilities, TARGETS)
    assert taken.log_loss == pytest.approx(float(sample_losses(probabilities, TARGETS).mean()))


def test_the_float32_form_that_was_chosen_says_what_became_of_it(in_int8: Measured) -> None:
    *in_float32, taken = in_int8.searched.tried
    best = in_float32[1]

    assert [one.name for one in in_float32] == ["preset", "larger"]
    assert best.reason == "chosen in float32; its int8 form is taken"
    assert taken.difference == pytest.approx(taken.log_loss - best.log_loss)
    assert taken.difference_error > 0
    assert "losses" not in taken.as_json()


def test_what_int8_loses_is_told_with_an_interval_that_counts_groups() -> None:
    """Equal answers of 90 pictures leave a change of some points possible, those of 18 series of more."""
    series = replace(TRAINING, groups=tuple(f"series {TARGETS[row]} {row // 15}" for row in range(len(TARGETS))))
    found = []
    for training in (TRAINING, series):
        fit = partial(measure, training, seed=0, threads=1)
        _, choice = settle_precision("int8", training, PLAN, fit(plan=PLAN), Library(), lambda plan: fit(plan=plan))  # type: ignore[arg-type] # noqa: B023
        assert choice.comparison is not None
        found.append(choice.comparison)

    assert [(one.n, one.groups) for one in found] == [(90, 90), (90, 18)]
    widths = [high - low for low, high in (one.difference_interval for one in found)]
    assert 0.02 < widths[0] < widths[1]
    assert "90 pictures" in choice.reason
