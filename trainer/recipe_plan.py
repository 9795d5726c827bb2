"""What a run tries: the recipes that its settings leave open, and the features that each of them needs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from trainer.feature_choices import in_words
from trainer.feature_library import FeatureLibrary
from trainer.recipe import FeatureRows, HeadKind, Recipe
from trainer.recipe_search import Candidate, Plan
from trainer.settings import TrainSettings
from trainer.training import Training

VIEWS = 4
"""So many are tried where nobody says how many."""

SMALL = 400
"""Up to so many pictures to learn from, views are tried unasked."""

FEW = 10
"""With fewer pictures of some label, a prototype head is tried unasked."""


def make_plan(library: FeatureLibrary, training: Training, settings: TrainSettings) -> Plan:
    """The recipes to choose from, the nearest to the preset first; one, where nothing is open.

    Args:
        library: of the samples of `training`, in their order.
        training: with the features of the library's base choice.
        settings: what is given is kept.
    """
    head: HeadKind = "probe" if settings.head == "auto" else settings.head
    views = 0 if settings.views == "auto" else settings.views
    features = library.candidates() if settings.search or len(library.candidates()) > 1 else (library.base,)
    candidates = tuple(_candidate(library, Recipe(choice, head, views)) for choice in features)
    if len(candidates) > 1:
        library.announce([(one.recipe.features, one.recipe.views) for one in candidates])
    return Plan(candidates, _memory(library, training), _refinements(library, training, settings))


def _candidate(library: FeatureLibrary, recipe: Recipe) -> Candidate:
    views = f", {recipe.views} views" if recipe.views else ""
    roots = "roots of " if recipe.rooted else ""
    return Candidate(
        recipe, f"{recipe.head} on {roots}{in_words(recipe.features)}{views}", library.cost_of(recipe.features)
    )


def _memory(library: FeatureLibrary, training: Training) -> Callable[[Recipe], FeatureRows]:
    """Rows of a recipe, read once; those of the base choice are there."""
    known: dict[Recipe, FeatureRows] = {}

    def rows_of(recipe: Recipe) -> FeatureRows:
        needed = replace(recipe, head="probe", rooted=False)
        if needed not in known:
            plain = recipe.features == library.base and not recipe.views
            known[needed] = training.feature_rows if plain else library.rows(recipe.features, recipe.views)
        return known[needed]

    return rows_of


def _refinements(
    library: FeatureLibrary, training: Training, settings: TrainSettings
) -> tuple[Callable[[Recipe], tuple[Candidate, ...]], ...]:
    """What is tried beside the best so far: roots of its features, its mirror image, views, other heads."""

    def rooted(recipe: Recipe) -> tuple[Candidate, ...]:
        return (_candidate(library, replace(recipe, rooted=True)),)

    def mirrored(recipe: Recipe) -> tuple[Candidate, ...]:
        both = _candidate(library, replace(recipe, features=replace(recipe.features, mirror=True)))
        return (both,) if not recipe.features.mirror and both.cost <= settings.max_cost else ()

    def with_views(recipe: Recipe) -> tuple[Candidate, ...]:
        return (_candidate(library, replace(recipe, views=VIEWS)),)

    def other_heads(recipe: Recipe) -> tuple[Candidate, ...]:
        return tuple(_candidate(library, replace(recipe, head=kind)) for kind in others)

    others = _other_heads(training, settings) if settings.head == "auto" else ()
    small = len(training.rows("train", "validation")) <= SMALL
    wanted = (
        (rooted, settings.search),
        (mirrored, settings.search),
        (with_views, settings.views == "auto" and small),
        (other_heads, bool(others)),
    )
    return tuple(refinement for refinement, is_wanted in wanted if is_wanted)


def _other_heads(training: Training, settings: TrainSettings) -> tuple[HeadKind, ...]:
    learned = Counter(training.targets[training.rows("train", "validation")].tolist())
    prototype: tuple[HeadKind, ...] = ("prototype",) if settings.search or min(learned.values()) < FEW else ()
    return (*prototype, "mlp") if settings.search else prototype
