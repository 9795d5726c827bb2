"""How many folds the data allows, and those by which a fit chooses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.split import make_folds

FOLDS = 5
"""So many are made to choose by, where the data allows."""

NO_FOLDS = "A class has only one group of pictures, or shares its groups with others so that no folds can be made"


@dataclass(frozen=True)
class DrawnFolds:
    """The folds by which a fit chooses.

    Attributes:
        wanted: how many were wished for.
        possible: how many the data allows; None where there is nothing to choose.
        of_rows: shape (N,), the fold that each row is held out in; None where there are no folds.
    """

    wanted: int
    possible: int | None
    of_rows: NDArray[np.int64] | None

    @property
    def count(self) -> int:
        """How many there are."""
        return (self.possible or 0) if self.of_rows is not None else 0

    def note(self, what: str, *, used: float) -> str:
        """What is to be said of them: empty, if there are as many as wished for, or nothing to choose.

        Args:
            what: was to be chosen: "the strength".
            used: what was taken where there are no folds.
        """
        if self.possible is None or self.possible >= self.wanted:
            return ""
        if self.possible >= 2:
            return note_on_fewer_folds(self.possible, self.wanted)
        return (
            f"{NO_FOLDS}, so {what} could not be chosen by cross-validation; {used:g} was used. "
            "Add pictures of the small classes."
        )


def draw_folds(
    targets: NDArray[np.int64], groups: Sequence[str], wanted: int, seed: int, *, is_known: bool
) -> DrawnFolds:
    """Folds to choose by, the same ones for every head of equal rows, so that these can be compared picture by picture.

    Args:
        targets, groups, wanted: as of `most_folds`.
        seed: of the folds.
        is_known: what they would choose is known already; there are then none.
    """
    if is_known:
        return DrawnFolds(wanted, None, None)
    possible = most_folds(targets, groups, wanted, (seed,))
    return DrawnFolds(wanted, possible, make_folds(targets, groups, possible, seed) if possible >= 2 else None)


def most_folds(targets: NDArray[np.int64], groups: Sequence[str], wanted: int, seeds: Sequence[int]) -> int:
    """How many folds can be made, at most `wanted`, so that what is kept for learning always holds every class.

    A class needs as many groups as there are folds. Where groups hold several classes that is not enough: a fold may
    get all groups of a class by getting those of another. There are then fewer folds.

    Args:
        targets: shape (N,), class indices.
        groups: N group ids.
        wanted: how many are wished for.
        seeds: of the folds that will be made by `make_folds`.

    Returns:
        Below 2 where there cannot be any.
    """
    possible = min(wanted, fewest_groups(targets, groups))
    if len(set(zip(targets.tolist(), groups, strict=True))) == len(set(groups)):
        return possible  # no group holds two classes, and each class is then spread over all folds
    for folds in range(possible, 1, -1):
        if all(_leaves_every_class(targets, make_folds(targets, groups, folds, seed)) for seed in seeds):
            return folds
    return min(possible, 1)


def note_on_fewer_folds(possible: int, wanted: int) -> str:
    """Why there are `possible` folds, at least 2, instead of `wanted`."""
    return f"{possible} folds instead of {wanted}, because with more of them one would take all groups of a class."


def fewest_groups(targets: NDArray[np.int64], groups: Sequence[str]) -> int:
    """The number of groups of the class that has fewest: with more folds, one of them would lack the class."""
    pairs = set(zip(targets.tolist(), groups, strict=True))
    return min(Counter(target for target, _ in pairs).values())


def _leaves_every_class(targets: NDArray[np.int64], fold_of: NDArray[np.int64]) -> bool:
    """Whether every class is in two folds at least, so that none takes all of it away."""
    pairs = set(zip(targets.tolist(), fold_of.tolist(), strict=True))
    return min(Counter(target for target, _ in pairs).values()) > 1
