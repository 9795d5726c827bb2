"""The strengths that are tried, from strong to weak, each fit started near the optimum of the one before it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from trainer.lbfgs import StackedProblem, minimise

STRENGTHS = tuple(10.0 ** (exponent / 3) for exponent in range(6, -13, -1))
"""From 100 down to 1e-4, three to a decade."""

# A tighter path chooses the same strength; it costs many steps at weak strengths, where the optimum is flat.
PATH_TOLERANCE = 1e-4
FINAL_TOLERANCE = 1e-7

ALWAYS_SWEPT = 13
_RISES_TO_STOP = 2
_CLEAR_RISE = 1.02


class PenalisedProblem(StackedProblem, Protocol):
    """P fits with an L2 penalty of one strength.

    Attributes:
        shape: of the parameters, (P, ...).
        dtype: of the parameters.
    """

    shape: tuple[int, int, int]
    dtype: torch.dtype

    def set_strength(self, l2: float) -> None:
        """Choose the strength; the minimum is expected near the last evaluation."""
        ...


def follow(problem: PenalisedProblem, strengths: Sequence[float], start: Tensor | None = None) -> Iterator[Tensor]:
    """The optimum at each strength, from strong to weak; each time the problem was evaluated there last.

    Args:
        problem: to be solved; without a start not evaluated yet.
        strengths: from strong to weak.
        start: near the optimum of the first; without it that must be so strong that zeros are.
    """
    if start is not None:
        problem.evaluate(start)
    parameters = before = torch.zeros(problem.shape, dtype=problem.dtype) if start is None else start
    for l2 in strengths:
        problem.set_strength(l2)
        # The optimum moves steadily with log(l2): going on in the same direction starts close to the next one.
        begin = 2 * parameters - before
        before, parameters = parameters, minimise(problem, begin, tolerance=PATH_TOLERANCE)
        yield parameters


def rises_for_good(losses: Sequence[float], *, always: int = ALWAYS_SWEPT) -> bool:
    """Whether weaker strengths than those so far, with these held-out losses, need not be tried.

    Args:
        losses: from strong to weak.
        always: so many are tried in any case.
    """
    return len(losses) >= max(always, _RISES_TO_STOP) and min(losses[-_RISES_TO_STOP:]) > _CLEAR_RISE * min(losses)
