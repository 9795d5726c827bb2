from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from shared.preprocess import PreprocessSpec
from tests.trainer.blobs import make_blobs
from trainer.cross_validation import cross_validate
from trainer.fitting import FitOptions
from trainer.intervals import standard_error
from trainer.recipe import FeatureChoice, FeatureRows, Recipe, plain_rows
from trainer.recipe_search import Candidate, Plan, Searched, choose, search

PRESET = Candidate(Recipe(FeatureChoice(PreprocessSpec())), "preset", 1.0)
LARGER = Candidate(Recipe(FeatureChoice(PreprocessSpec(height=320, width=320, resize=366))), "larger", 2.0)
TAPPED = Candidate(Recipe(FeatureChoice(PreprocessSpec(), ("middle",))), "tapped", 1.0)

FEATURES, TARGETS, GROUPS = make_blobs(90, features=12, classes=3, distance=0.6)
LABELS = ("ant", "bee", "cat")
PICTURES = [str(number) for number in range(100)]
NOISE = np.random.default_rng(1).normal(size=FEATURES.shape).astype(np.float32)


def plan(*candidates: Candidate, good: Sequence[Candidate]) -> Plan:
    """Features of the good ones tell the classes apart, those of the others are noise."""
    told = {one.recipe.features for one in good}
    return Plan(candidates, lambda recipe: plain_rows(FEATURES if recipe.features in told else NOISE))


def searched(tried: Plan, rows: np.ndarray | None = None) -> Searched:
    seen = np.arange(len(TARGETS)) if rows is None else rows
    return search(tried, seen, TARGETS, GROUPS, FitOptions(3, 0, 1))


def test_clearly_better_features_are_taken_though_they_cost_more() -> None:
    found = searched(plan(PRESET, LARGER, good=[LARGER]))

    assert found.recipe == LARGER.recipe
    assert [(one.name, one.chosen) for one in found.tried] == [("preset", False), ("larger", True)]
    assert found.tried[0].difference > found.tried[0].difference_error > 0 == found.tried[1].difference


def test_a_gain_within_one_standard_error_is_not_worth_more_work() -> None:
    random = np.random.default_rng(0)
    losses = random.uniform(0.2, 0.8, 100)
    a_little_better = losses - 0.002 + random.normal(0, 0.1, 100)
    a_lot_better = losses - 0.2

    assert choose({PRESET: losses, LARGER: losses - 0.002 - (losses - losses.mean())}, PICTURES) == PRESET
    assert (
        choose({PRESET: losses, LARGER: a_little_better - a_little_better.mean() + losses.mean() - 0.002}, PICTURES)
        == PRESET
    )
    assert choose({PRESET: losses, LARGER: a_lot_better}, PICTURES) == LARGER


def test_of_recipes_that_cost_the_same_the_better_one_is_taken() -> None:
    losses = np.linspace(0.2, 0.8, 100)

    assert choose({PRESET: losses, TAPPED: losses - 0.001 * np.sin(np.arange(100)) - 1e-4}, PICTURES) == TAPPED
    assert choose({PRESET: losses, TAPPED: losses}, PICTURES) == PRESET


def test_what_is_less_simple_must_be_better_by_more_than_one_standard_error() -> None:
    """Of some trials one is an error ahead by chance: a perceptron taken so was worse in the outer folds."""
    losses = np.random.default_rng(0).uniform(0.2, 0.8, 100)
    gains = np.random.default_rng(1).normal(0, 0.1, 100)
    one_and_a_half_errors_better = losses - (gains - gains.mean()) - 1.5 * standard_error(gains, PICTURES)
    perceptron = replace(PRESET, name="perceptron", cost=1.001)

    assert choose({PRESET: losses, perceptron: one_and_a_half_errors_better}, PICTURES) == perceptron
    assert choose({PRESET: losses, replace(perceptron, doubt=2.0): one_and_a_half_errors_better}, PICTURES) == PRESET
    assert (
        choose({PRESET: losses, replace(perceptron, doubt=1.4): one_and_a_half_errors_better}, PICTURES).name
        == "perceptron"
    )


def test_what_is_less_simple_than_the_recipe_so_far_must_be_better_even_where_it_is_cheaper_to_serve() -> None:
    """Quarters are tried at every size too: cheap ones stand beside a large or mirrored recipe without them."""
    losses = np.random.default_rng(0).uniform(0.2, 0.8, 100)
    cheap = Candidate(TAPPED.recipe, "cheap quarters", 1.001, doubt=2.0)
    large = Candidate(replace(LARGER.recipe, head="blend"), "large quarters", 2.001, doubt=2.0)

    def better_by(errors: float, seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(0, 0.1, 100)
        return losses - (noise - noise.mean()) - errors * standard_error(noise, PICTURES)

    def taken(cheap_gain: float, large_gain: float) -> Candidate:
        rivals = {LARGER: losses, cheap: better_by(cheap_gain, 1), large: better_by(large_gain, 2)}
        return choose(rivals, PICTURES, so_far=LARGER)

    assert taken(-0.5, -0.5) == LARGER, "worse"
    assert taken(1.9, 1.8) == LARGER, "better within doubt"
    assert taken(1.5, 1.9) == LARGER, "as good as one that is better within doubt"
    assert taken(1.5, 2.1) == large, "the cheap one is not better beyond doubt"
    assert taken(2.1, 2.2) == cheap


def test_a_search_keeps_a_dear_recipe_where_cheap_quarters_are_no_better() -> None:
    quartered = Candidate(TAPPED.recipe, "quarters", 1.001, doubt=2.0)
    tried = replace(plan(LARGER, good=[LARGER, quartered]), refinements=(lambda _recipe: (quartered,),))

    found = searched(tried)

    assert [(one.name, one.chosen, one.reason) for one in found.tried] == [
        ("larger", True, "taken"),
        ("quarters", False, "no better beyond doubt, and less simple"),
    ]


def test_a_series_is_one_witness_for_a_recipe() -> None:
    """160 pictures of eight series, of which three speak for the dearer recipe: 3 of 8 is what chance alone gives."""
    series = np.arange(160) % 8
    gains = np.select([series < 3, series < 5], [0.3, -0.2], 0.0)
    losses, pictures = np.full(160, 0.5), [str(number) for number in range(160)]

    assert choose({PRESET: losses, LARGER: losses - gains}, pictures) == LARGER
    assert choose({PRESET: losses, LARGER: losses - gains}, [f"series {number}" for number in series]) == PRESET


def test_the_error_that_is_told_is_that_of_the_groups() -> None:
    """Every picture four times over tells no more than once, whatever the folds."""
    tried = plan(PRESET, LARGER, good=[LARGER])
    of_four = [f"series {number // 4}" for number in range(len(TARGETS))]

    found = search(tried, np.arange(len(TARGETS)), TARGETS, of_four, FitOptions(3, 0, 1)).tried

    behind = found[0].losses - found[1].losses
    assert found[0].difference_error == pytest.approx(standard_error(behind, of_four))
    assert found[0].difference_error != pytest.approx(standard_error(behind, GROUPS), rel=0.01)


def test_why_the_simpler_recipe_was_kept_is_told() -> None:
    tried = plan(PRESET, good=[LARGER])
    doubted = replace(LARGER, doubt=1000.0)

    found = searched(replace(tried, refinements=(lambda _recipe: (doubted,),)))

    assert [(one.name, one.chosen, one.reason) for one in found.tried] == [
        ("preset", True, "taken: the best is less simple, and not better beyond doubt"),
        ("larger", False, "no better beyond doubt, and more work"),
    ]


def test_a_refinement_is_tried_beside_the_best_so_far() -> None:
    def mirrored(recipe: Recipe) -> tuple[Candidate, ...]:
        return (Candidate(replace(recipe, features=replace(recipe.features, mirror=True)), "mirrored", 4.0),)

    found = searched(replace(plan(PRESET, LARGER, good=[LARGER]), refinements=(mirrored,)))

    assert [one.name for one in found.tried] == ["preset", "larger", "mirrored"]
    assert found.tried[2].recipe.features == replace(LARGER.recipe.features, mirror=True)


def test_rows_that_selection_may_not_see_change_nothing() -> None:
    """Not even if they are all that speaks for another recipe."""
    seen = np.arange(60)
    spoiled = FEATURES.copy()
    spoiled[60:] = np.nan

    def rows_of(recipe: Recipe) -> FeatureRows:
        return plain_rows(spoiled if recipe == LARGER.recipe else NOISE)

    found = searched(Plan((PRESET, LARGER), rows_of), seen)

    expected = searched(plan(PRESET, LARGER, good=[LARGER]), seen)
    assert [one.log_loss for one in found.tried] == [one.log_loss for one in expected.tried]
    assert len(found.fit.out_of_fold_logits) == 60


def test_on_a_large_set_recipes_are_compared_on_a_part_and_the_one_that_is_taken_learns_from_all() -> None:
    asked: list[str] = []
    both = plan(PRESET, LARGER, good=[LARGER])

    def rows_of(recipe: Recipe) -> FeatureRows:
        asked.append("larger" if recipe == LARGER.recipe else "preset")
        return both.rows_of(recipe)

    found = searched(replace(both, rows_of=rows_of, compared=45, bound="on 45 of 90"))

    assert (found.name, found.bound) == ("larger", "on 45 of 90")
    assert [len(one.losses) for one in found.tried] == [45, 45]
    assert len(found.fit.out_of_fold_logits) == len(TARGETS)
    assert asked == ["preset", "larger", *["larger"] * 2], "its fit, and what only the one that is taken needs"
    whole = searched(plan(LARGER, good=[LARGER]))
    assert np.array_equal(found.fit.head.weight, whole.fit.head.weight)


def test_a_bound_that_all_pictures_are_within_changes_nothing() -> None:
    both = plan(PRESET, LARGER, good=[LARGER])

    bounded, unbounded = searched(replace(both, compared=len(TARGETS))), searched(both)

    assert np.array_equal(bounded.fit.head.weight, unbounded.fit.head.weight)
    assert [one.as_json() for one in bounded.tried] == [one.as_json() for one in unbounded.tried]


def test_the_search_is_repeated_in_every_outer_fold() -> None:
    found = cross_validate(
        plan(PRESET, LARGER, good=[LARGER]), TARGETS, GROUPS, LABELS, folds=3, seeds=(0, 1), threads=1
    )

    assert [result.recipe for result in found.results] == ["larger"] * 6
    assert found.accuracy.mean > 0.5


def test_choosing_among_noise_does_not_make_it_look_better_than_it_is() -> None:
    """Twelve recipes that know nothing: the best one's own folds flatter it, the outer ones do not."""
    random = np.random.default_rng(2)
    candidates = tuple(
        Candidate(Recipe(FeatureChoice(PreprocessSpec(), (f"stage{number}",))), str(number)) for number in range(12)
    )
    noise = {one.recipe: plain_rows(random.normal(size=(90, 12)).astype(np.float32)) for one in candidates}

    tried = Plan(candidates, noise.__getitem__)
    flattered = next(one for one in searched(tried).tried if one.chosen)

    found = cross_validate(tried, TARGETS, GROUPS, LABELS, folds=5, seeds=(0, 1, 2), threads=1)

    assert found.accuracy.mean < flattered.accuracy
    assert found.log_loss.mean > flattered.log_loss


def test_without_folds_the_first_candidate_is_taken() -> None:
    groups = [f"group {target}" for target in TARGETS]

    found = search(plan(PRESET, LARGER, good=[LARGER]), np.arange(len(TARGETS)), TARGETS, groups, FitOptions(3, 0, 1))

    assert (found.recipe, found.tried) == (PRESET.recipe, ())


def test_views_of_a_picture_stay_in_its_fold() -> None:
    """Labels drawn at random can be learned only by heart: views in other folds would give them away."""
    random = np.random.default_rng(3)
    features, coins = random.normal(size=(60, 200)).astype(np.float32), random.integers(0, 2, 60)
    rows = FeatureRows(features, np.stack([features + np.float32(0.01), features - np.float32(0.01)]))

    found = search(Plan((PRESET,), lambda _recipe: rows), np.arange(60), coins, GROUPS[:60], FitOptions(2, 0, 1))

    assert len(found.fit.out_of_fold_logits) == 60
    assert (found.fit.out_of_fold_logits.argmax(1) == coins).mean() < 0.7


@pytest.mark.parametrize("head", ["probe", "prototype"])
def test_views_that_are_copies_change_nothing(head: str) -> None:
    """Each picture weighs 1 with all its views, so the strength keeps its meaning."""
    copies = FeatureRows(FEATURES, np.stack([FEATURES, FEATURES]))
    tried = replace(PRESET, recipe=replace(PRESET.recipe, head=head))

    plain = searched(Plan((tried,), lambda _recipe: plain_rows(FEATURES))).fit
    with_copies = searched(Plan((tried,), lambda _recipe: copies)).fit

    assert with_copies.l2 == plain.l2
    assert with_copies.head.logits(FEATURES) == pytest.approx(plain.head.logits(FEATURES), abs=0.01)
