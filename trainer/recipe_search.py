"""Which recipe to take: features, views and head compared by what heads say of pictures they had not seen."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from trainer.fitting import FitOptions, OnStep, finish_head, fit_head
from trainer.group_sample import sample_groups
from trainer.head import HeadFit
from trainer.intervals import standard_error
from trainer.metrics import accuracy, sample_losses
from trainer.recipe import FeatureChoice, Recipe, RowsToFit, rows_to_fit
from trainer.rows import Rows


@dataclass(frozen=True)
class Candidate:
    """A recipe that may be taken.

    Attributes:
        recipe: itself.
        name: in words.
        cost: work for one served picture, relative to the preset of the backbone.
        doubt: how many standard errors better than a cheaper recipe it must be, to be taken instead; with more than
            one, than the recipe so far too, whatever that costs.
    """

    recipe: Recipe
    name: str
    cost: float = 1.0
    doubt: float = 1.0


Refinement = Callable[[Recipe], tuple[Candidate, ...]]
"""Gives what is to be tried beside the best recipe so far."""


@dataclass(frozen=True)
class Plan:
    """What is tried, and on what.

    Attributes:
        candidates: simplest first, at least one.
        rows_of: features and views of all N pictures for a recipe, in the canonical order.
        refinements: in the order of the steps.
        then: gives what is made of the recipe that was chosen, such as its int8 form; itself, if not said.
        compared: on about so many pictures recipes are compared, where there are more; on all, if not said.
        bound: what that and other limits leave out, in words; "" for nothing.
    """

    candidates: tuple[Candidate, ...]
    rows_of: Callable[[Recipe], RowsToFit]
    refinements: tuple[Refinement, ...] = ()
    then: Callable[[Candidate], Candidate] | None = None
    compared: int | None = None
    bound: str = ""


@dataclass(frozen=True)
class Tried:
    """One recipe and what came of it, on the rows that recipes were compared on.

    Attributes:
        recipe, name, cost: of the candidate.
        accuracy: out of fold, in [0, 1].
        log_loss: out of fold, calibrated, in nats.
        difference: of its log loss from that of the best recipe, paired by picture; 0 for the best.
        difference_error: standard error of the difference, over groups.
        seconds: how long its fit took.
        chosen: whether it was taken.
        reason: why it was taken or not, a clause.
        losses: out of fold, calibrated, of each picture, in nats, shape (N,).
    """

    recipe: Recipe
    name: str
    cost: float
    accuracy: float
    log_loss: float
    difference: float
    difference_error: float
    seconds: float
    chosen: bool
    reason: str
    losses: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """Plain values; without the time that it took, which is another one each time."""
        left_out = ("recipe", "seconds", "losses")
        numbers = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in left_out}
        return {**numbers, "head": self.recipe.head, "views": self.recipe.views}


@dataclass(frozen=True)
class Searched:
    """The recipe that was taken.

    Attributes:
        recipe: itself.
        name: in words.
        fit: its head, fitted on all rows that selection may see.
        tried: everything that was compared, in order; empty where there was nothing to choose.
        bound: what was left out so that the search ends in time, in words; "" for nothing.
    """

    recipe: Recipe
    name: str
    fit: HeadFit
    tried: tuple[Tried, ...]
    bound: str = ""


def plan_of(features: Rows) -> Plan:
    """The default probe on features (N, D): nothing to choose."""
    rows = rows_to_fit(features)
    return Plan((Candidate(Recipe(FeatureChoice(PreprocessSpec())), "probe"),), lambda _recipe: rows)


def search(
    plan: Plan,
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    options: FitOptions,
    *,
    on_step: OnStep | None = None,
    on_tried: Callable[[], None] | None = None,
) -> Searched:
    """Choose among the candidates; then, step by step, between the best so far and what is to be tried beside it.

    Args:
        plan: what is tried.
        rows: numbers of the rows that selection may see; no other one is looked at.
        targets: shape (N,), of all rows.
        groups: N group ids.
        options: of the fits.
        on_step: told of each step of each fit.
        on_tried: called for each recipe that is done.
    """
    sampled = _compared_on(plan, rows, targets, groups, options.seed)
    compared = _Fits(plan, sampled, targets, groups, options, on_step, on_tried)
    current = plan.candidates[0]
    if compared.of(current).folds:  # else there is nothing to compare by
        current = compared.best(plan.candidates)
        for refinement in plan.refinements:
            current = compared.best((current, *refinement(current.recipe)))
    tried = compared.tell(current)
    made = current if plan.then is None else plan.then(current)
    is_part = len(sampled) < len(rows)
    fits = _Fits(plan, rows, targets, groups, options, on_step, on_tried) if is_part else compared
    return Searched(made.recipe, made.name, fits.whole(made), tried, plan.bound)


def _compared_on(
    plan: Plan, rows: NDArray[np.int64], targets: NDArray[np.int64], groups: Sequence[str], seed: int
) -> NDArray[np.int64]:
    """The rows that recipes are compared on: all, or a part that stands for them."""
    is_choice = len(plan.candidates) > 1 or len(plan.refinements) > 0
    if not is_choice or plan.compared is None or plan.compared >= len(rows):
        return rows
    return rows[sample_groups(targets[rows], [groups[row] for row in rows.tolist()], plan.compared, seed)]


class _Fits:
    """The fits of recipes on some rows, each made once."""

    def __init__(
        self,
        plan: Plan,
        rows: NDArray[np.int64],
        targets: NDArray[np.int64],
        groups: Sequence[str],
        options: FitOptions,
        on_step: OnStep | None,
        on_tried: Callable[[], None] | None,
    ) -> None:
        self._plan, self._rows, self._options = plan, rows, replace(options.for_rows(rows), is_compared=True)
        self._targets, self._groups = targets[rows], [groups[row] for row in rows.tolist()]
        self._on_step, self._on_tried = on_step, on_tried
        self._made: dict[Candidate, tuple[HeadFit, float]] = {}

    def of(self, candidate: Candidate) -> HeadFit:
        """That of a recipe, as far as it is needed to compare it."""
        if candidate not in self._made:
            of_recipe = self._plan.rows_of(candidate.recipe).take(self._rows)
            started = time.perf_counter()  # featurising is done once, and told apart
            head = candidate.recipe.head
            fit = fit_head(head, of_recipe, self._targets, self._groups, self._options, on_step=self._on_step)
            self._made[candidate] = fit, time.perf_counter() - started
            if self._on_tried is not None:
                self._on_tried()
        return self._made[candidate][0]

    def whole(self, candidate: Candidate) -> HeadFit:
        """That of a recipe, its head fitted on all rows."""
        fit = self.of(candidate)
        if fit.is_whole:
            return fit
        return finish_head(fit, self._plan.rows_of(candidate.recipe).take(self._rows), self._targets, self._options)

    def best(self, rivals: Sequence[Candidate]) -> Candidate:
        """The one to take, of some beside the first of them."""
        losses = {one: _losses(self.of(one), self._targets) for one in rivals}
        return choose(losses, self._groups, so_far=rivals[0])

    def tell(self, chosen: Candidate) -> tuple[Tried, ...]:
        """All that was compared; nothing where there was nothing to compare."""
        return _tell(self._made, chosen, self._targets, self._groups) if len(self._made) > 1 else ()


def choose(
    losses: Mapping[Candidate, NDArray[np.float64]], groups: Sequence[str], *, so_far: Candidate | None = None
) -> Candidate:
    """The cheapest to serve of those within one standard error of the lowest mean loss; of equally cheap, the lowest.

    The error is that of the difference, paired by picture; a group of pictures is one witness. Where the lowest loss is
    that of a recipe with more `doubt`, it is within as many. More work for every picture that will be served has to
    earn its place. Between recipes that cost the same, such as a probe and a blend, which are one linear layer both,
    neither is simpler, and what is likelier better is taken (docs/decisions/0019). What is less simple than the recipe
    so far has to be better than that beyond its doubt first: being cheaper to serve does not earn it its place.

    Args:
        losses: of each candidate the loss of each picture, shape (N,).
        groups: N group ids.
        so_far: the one of them that the others are tried beside.
    """
    losses = {
        one: of_one for one, of_one in losses.items() if so_far is None or _may_replace(one, so_far, losses, groups)
    }
    mean = {one: float(of_one.mean()) for one, of_one in losses.items()}
    best = min(mean, key=mean.__getitem__)
    near = [one for one in losses if _within_error(losses[one] - losses[best], groups, best.doubt)]
    return min(near, key=lambda one: (one.cost, mean[one]))


def _may_replace(
    one: Candidate, so_far: Candidate, losses: Mapping[Candidate, NDArray[np.float64]], groups: Sequence[str]
) -> bool:
    """Whether it is so far itself, or as simple, or better beyond its doubt."""
    if one == so_far or one.doubt <= 1:
        return True
    return not _within_error(losses[so_far] - losses[one], groups, one.doubt)


def _within_error(differences: NDArray[np.float64], groups: Sequence[str], errors: float = 1.0) -> bool:
    return float(differences.mean()) <= errors * standard_error(differences, groups)


def _losses(fit: HeadFit, targets: NDArray[np.int64]) -> NDArray[np.float64]:
    return sample_losses(fit.out_of_fold_probabilities, targets)


def _reason(one: Candidate, chosen: Candidate, behind: NDArray[np.float64], groups: Sequence[str]) -> str:
    """Why it was taken or not; `behind` is how far each picture's loss is from that of the best one, shape (N,)."""
    if one == chosen and not behind.any():
        return "taken"
    if one == chosen and not _within_error(behind, groups):
        return "taken: the best is less simple, and not better beyond doubt"
    if one == chosen:
        return "taken: within one standard error of the best, or as cheap and better"
    if _within_error(behind, groups):
        besides = "more work" if one.cost > chosen.cost else "less simple" if one.doubt > 1 else "no cheaper"
        return f"no better beyond doubt, and {besides}"
    return "worse beyond one standard error"


def _tell(
    fits: Mapping[Candidate, tuple[HeadFit, float]],
    chosen: Candidate,
    targets: NDArray[np.int64],
    groups: Sequence[str],
) -> tuple[Tried, ...]:
    losses = {one: _losses(fit, targets) for one, (fit, _) in fits.items()}
    best = min(losses, key=lambda one: float(losses[one].mean()))
    return tuple(
        Tried(
            recipe=one.recipe,
            name=one.name,
            cost=one.cost,
            accuracy=accuracy(fit.out_of_fold_probabilities, targets),
            log_loss=float(losses[one].mean()),
            difference=float((losses[one] - losses[best]).mean()),
            difference_error=standard_error(losses[one] - losses[best], groups),
            seconds=seconds,
            chosen=one == chosen,
            reason=_reason(one, chosen, losses[one] - losses[best], groups),
            losses=losses[one],
        )
        for one, (fit, seconds) in fits.items()
    )
