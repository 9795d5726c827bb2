"""What a run tries: the recipes that its settings leave open, and the features that each of them needs."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from trainer.counting import counted
from trainer.feature_choices import in_words
from trainer.feature_library import FeatureLibrary
from trainer.kept_rows import KeptRows
from trainer.recipe import FeatureChoice, HeadKind, Recipe, RowsToFit
from trainer.recipe_search import Candidate, Plan, Refinement
from trainer.search_bound import PlannedStep, SearchBound, find_bound
from trainer.search_cost import PlannedFit
from trainer.settings import TrainSettings
from trainer.taps import has_quarters
from trainer.training import Training

VIEWS = 1
"""So many are tried where nobody says how many: the mirror image. More of them gained nothing (decision 0019)."""

SMALL = 400
"""Up to so many pictures to learn from, views are tried unasked."""

_NOT_SIMPLER = 0.001
"""Views, quarters and a hidden layer cost next to nothing in serving; but what is less simple must be better beyond
doubt."""

_BEYOND_DOUBT = 2.0
"""Standard errors. With one, a perceptron was taken in 6 of 25 folds, and was more accurate in none (decision 0019)."""


@dataclass(frozen=True)
class _Step:
    """Recipes that are tried beside the best so far: what to call them, which, and beyond how many errors."""

    name: str
    beside: Callable[[Recipe], Iterator[Recipe]]
    doubt: float = 1.0


FEW = 10
"""With fewer pictures of some label, a prototype head is tried unasked."""


def make_plan(library: FeatureLibrary, training: Training, settings: TrainSettings) -> Plan:
    """The recipes to choose from, that of the base features first; one, where nothing is open.

    Heads that are quick to fit are compared first, on the cheapest features: which kind suits so many pictures hardly
    depends on these. Then features, with and without the mirror image, with the head that was taken; then those that
    also say where in the picture something is; then a perceptron and views.

    Args:
        library: of the samples of `training`, in their order.
        training: with the features of the library's base choice.
        settings: what is given is kept.
    """
    head: HeadKind = "probe" if settings.head == "auto" else settings.head
    views = 0 if settings.views == "auto" else settings.views
    choices = _feature_choices(library, settings)
    if len(choices) > 1:
        library.announce(
            [(choice, views) for choice in choices], views_tried=VIEWS if _tries_views(training, settings) else 0
        )
    first = Recipe(choices[0], head, views)
    steps = tuple(step for step in _steps(library, training, settings) if any(step.beside(first)))
    bound = _bound(library, training, settings, first, steps)
    kept = steps[: len(steps) - bound.steps_left_out]
    return Plan(
        (_candidate(library, first),),
        _memory(library, training),
        tuple(_candidates_of(library, step) for step in kept),
        compared=bound.compared,
        bound=bound.in_words() if bound.holds_back else "",
    )


def _bound(
    library: FeatureLibrary, training: Training, settings: TrainSettings, first: Recipe, steps: tuple[_Step, ...]
) -> SearchBound:
    """How the fits are kept within `--max-search`; told where there is anything to compare."""
    of_base = training.features.shape[1]
    dearest: HeadKind = "blend" if settings.search and settings.head == "auto" else first.head

    def planned(recipe: Recipe) -> PlannedFit:
        head = dearest if recipe.head == first.head else recipe.head
        return PlannedFit(head, library.columns_of(recipe.features, of_base=of_base), recipe.views)

    planned_steps = [PlannedStep(step.name, tuple(planned(one) for one in step.beside(first))) for step in steps]
    found = find_bound(
        [PlannedFit(first.head, library.columns_of(first.features, of_base=of_base), first.views)],
        planned_steps,
        pictures=len(training.rows("train", "validation")),
        class_count=len(training.labels),
        limit_s=60 * settings.max_search,
    )
    if (settings.search and found.fits) or found.holds_back:
        library.progress.say(
            found.in_words() + _each_fold(settings.folds),
            heads_estimate_s=round(found.seconds, 1),
            compared_on=found.compared,
            left_out=list(found.left_out),
        )
    return found


def _each_fold(folds: int) -> str:
    return f" Each of the {folds} folds takes as long again." if folds else ""


def _candidate(library: FeatureLibrary, recipe: Recipe, doubt: float = 1.0) -> Candidate:
    views = f", {counted(recipe.views, 'view')}" if recipe.views else ""
    less_simple = recipe.views + (recipe.head == "mlp") + has_quarters(recipe.features.taps)
    cost = library.cost_of(recipe.features) + _NOT_SIMPLER * less_simple
    return Candidate(recipe, f"{recipe.head} on {in_words(recipe.features)}{views}", cost, doubt)


def _feature_choices(library: FeatureLibrary, settings: TrainSettings) -> tuple[FeatureChoice, ...]:
    """What is open; in a search each also with its mirror image, where that is within the cost."""
    choices = library.candidates()
    mirrored = [replace(one, mirror=True) for one in choices] if settings.search else []
    return tuple(dict.fromkeys([*choices, *(one for one in mirrored if library.cost_of(one) <= settings.max_cost)]))


def _apart(choices: tuple[FeatureChoice, ...]) -> tuple[tuple[FeatureChoice, ...], tuple[FeatureChoice, ...]]:
    """Those that say nothing of places, and those that are tried beside the best of them; where all
    say something of places, as with `--taps a:quarters`, all are the former."""
    simple = tuple(choice for choice in choices if not has_quarters(choice.taps))
    return (simple, tuple(choice for choice in choices if choice not in simple)) if simple else (choices, ())


def _memory(library: FeatureLibrary, training: Training) -> Callable[[Recipe], RowsToFit]:
    """Rows of a recipe; those of the base choice are there."""
    kept = KeptRows(library.rows_to_fit)

    def rows_of(recipe: Recipe) -> RowsToFit:
        is_base = recipe.features == library.base and not recipe.views
        return training.feature_rows if is_base else kept.rows(recipe.features, recipe.views)

    return rows_of


def _tries_views(training: Training, settings: TrainSettings) -> bool:
    """Whether nobody says how many, and the set is small or everything is searched."""
    return settings.views == "auto" and (settings.search or len(training.rows("train", "validation")) <= SMALL)


def _steps(library: FeatureLibrary, training: Training, settings: TrainSettings) -> tuple[_Step, ...]:
    """What is tried beside the best so far, step by step; a step without anything to try is left out."""
    pictures = Counter(training.targets[training.rows("train", "validation")].tolist())
    auto = settings.head == "auto"
    few, (simple, quartered) = min(pictures.values()) < FEW, _apart(_feature_choices(library, settings))

    def heads(recipe: Recipe) -> Iterator[Recipe]:
        if few:
            yield replace(recipe, head="prototype")
        if settings.search:
            yield replace(recipe, head="blend")

    def with_views(recipe: Recipe) -> Iterator[Recipe]:
        if not recipe.features.mirror:  # else the mirror image has the features of the picture
            yield replace(recipe, views=VIEWS)

    def perceptron(recipe: Recipe) -> Iterator[Recipe]:
        yield replace(recipe, head="mlp")

    steps = (
        (_Step("other heads", heads), auto and (settings.search or few)),
        (_Step("other features", _with_features(simple)), len(simple) > 1),
        (_Step("quarters", _with_features(quartered), _BEYOND_DOUBT), len(quartered) > 0),
        (_Step("a perceptron", perceptron, _BEYOND_DOUBT), auto and settings.search),
        (_Step("views", with_views, _BEYOND_DOUBT), _tries_views(training, settings)),
    )
    return tuple(step for step, is_wanted in steps if is_wanted)


def _with_features(choices: tuple[FeatureChoice, ...]) -> Callable[[Recipe], Iterator[Recipe]]:
    return lambda recipe: (replace(recipe, features=choice) for choice in choices if choice != recipe.features)


def _candidates_of(library: FeatureLibrary, step: _Step) -> Refinement:
    return lambda recipe: tuple(_candidate(library, one, step.doubt) for one in step.beside(recipe))
