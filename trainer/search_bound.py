"""The bound of a search: on how many pictures recipes are compared, and which steps are left out, to keep it."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.counting import counted
from trainer.displays import duration
from trainer.search_cost import PlannedFit, seconds_of_all

FEWEST, FEWEST_OF_LABEL = 500, 10
"""With fewer pictures the choice would be chance: rather than that, steps are left out."""


@dataclass(frozen=True)
class PlannedStep:
    """Recipes that are tried together.

    Attributes:
        name: in words: "other heads".
        fits: that it takes, the dearest that they can be.
    """

    name: str
    fits: tuple[PlannedFit, ...]


@dataclass(frozen=True)
class SearchBound:
    """How a search is kept within its bound.

    Attributes:
        pictures: that there are to choose by.
        compared: on how many of them recipes are compared.
        fits: how many recipes are compared at most.
        left_out: steps that are not made, in words.
        seconds: of a core that the comparison takes, about.
        unbounded_s: that it would take on all pictures with all steps.
        limit_s: the bound; 0 for none.
    """

    pictures: int
    compared: int
    fits: int
    left_out: tuple[str, ...]
    seconds: float
    unbounded_s: float
    limit_s: float

    @property
    def steps_left_out(self) -> int:
        """How many, from the last one."""
        return len(self.left_out)

    @property
    def holds_back(self) -> bool:
        """Whether anything is done otherwise because of it."""
        return self.compared < self.pictures or bool(self.left_out)

    def in_words(self) -> str:
        """What is compared, for how long, and what the bound leaves out."""
        if not self.holds_back:
            return (
                f"Fitting heads to compare up to {counted(self.fits, 'recipe')} takes about {_of_a_core(self.seconds)}."
            )
        given = f"--max-search {self.limit_s / 60:g}"
        told = (
            f"Fitting heads to compare all recipes on {counted(self.pictures, 'picture')} would take about "
            f"{_of_a_core(self.unbounded_s)}, more than {given}: "
        )
        if not self.fits:
            return f"{told}nothing is compared. Left out: {', '.join(self.left_out)}."
        told += f"up to {counted(self.fits, 'recipe')} are compared on "
        told += f"about {self.compared:,} of them" if self.compared < self.pictures else "all of them"
        told += f", in about {_of_a_core(self.seconds)}; the one that is taken learns from all."
        return told + (f" Left out: {', '.join(self.left_out)}." if self.left_out else "")


def find_bound(
    first: Sequence[PlannedFit], steps: Sequence[PlannedStep], *, pictures: int, class_count: int, limit_s: float
) -> SearchBound:
    """All pictures and steps, where that is within the bound; else fewer pictures, and at last fewer steps.

    The result follows from the numbers alone, not from the clock, so that a search can be repeated. On fewer pictures
    than FEWEST, or FEWEST_OF_LABEL of each label, nothing is compared: before that the last steps are left out, which
    gain least.

    Args:
        first: the recipes that are there before any step.
        steps: in the order in which they are made.
        pictures: that there are to choose by.
        class_count: K.
        limit_s: seconds of a core; 0 for no bound.
    """
    every = [*first, *(fit for step in steps for fit in step.fits)]
    unbounded = seconds_of_all(every, pictures, class_count)
    fewest = min(pictures, max(FEWEST, FEWEST_OF_LABEL * class_count))
    kept = len(steps)
    compared = pictures
    if limit_s and unbounded > limit_s:
        while kept and seconds_of_all(_fits(first, steps[:kept]), fewest, class_count) > limit_s:
            kept -= 1
        compared = _most_pictures(_fits(first, steps[:kept]), fewest, pictures, class_count, limit_s)
    fits = _fits(first, steps[:kept])
    nothing = len(fits) < 2
    return SearchBound(
        pictures=pictures,
        compared=pictures if nothing else compared,
        fits=0 if nothing else len(fits),
        left_out=tuple(step.name for step in steps[kept:]),
        seconds=0.0 if nothing else seconds_of_all(fits, compared, class_count),
        unbounded_s=unbounded,
        limit_s=limit_s,
    )


def _fits(first: Sequence[PlannedFit], steps: Sequence[PlannedStep]) -> list[PlannedFit]:
    return [*first, *(fit for step in steps for fit in step.fits)]


def _most_pictures(fits: Sequence[PlannedFit], fewest: int, most: int, class_count: int, limit_s: float) -> int:
    """As many as stay within the bound, by halving; `fewest` where none do."""
    while fewest < most:
        middle = (fewest + most + 1) // 2
        if seconds_of_all(fits, middle, class_count) <= limit_s:
            fewest = middle
        else:
            most = middle - 1
    return fewest


def _of_a_core(seconds: float) -> str:
    return f"{duration(seconds)} of a core"
