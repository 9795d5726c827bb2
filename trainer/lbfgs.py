"""L-BFGS over several independent convex problems at once, so that they share every matrix product."""

from typing import Protocol

import torch
from torch import Tensor

_MEMORY = 10
_MAX_STEPS = 300
_MAX_HALVINGS = 20
_SUFFICIENT_DECREASE = 1e-4
_ROUNDING = {torch.float32: 1e-6, torch.float64: 1e-14}


class StackedProblem(Protocol):
    """P smooth convex functions of parameters that are stacked along dimension 0: shape (P, ...)."""

    def evaluate(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Values, shape (P,), and gradients, shape (P, ...)."""
        ...

    def precondition(self, gradients: Tensor) -> Tensor:
        """An approximate inverse Hessian, linear, symmetric and positive, times the gradients: shape (P, ...)."""
        ...


def minimise(problem: StackedProblem, start: Tensor, *, tolerance: float) -> Tensor:
    """Parameters near the minimum of each problem, shape (P, ...); the problem was evaluated there last.

    A problem rests once half its Newton decrement, which estimates how far its value is above the minimum, is below
    `tolerance` times its value, or once rounding hides any further descent.

    Source: J. Nocedal and S. Wright, Numerical Optimization (2006), algorithms 7.5 and 3.1.
    """
    parameters = start
    values, gradients = problem.evaluate(parameters)
    preconditioned = problem.precondition(gradients)
    resting = torch.zeros_like(values, dtype=torch.bool)
    history = _History(start)
    for _ in range(_MAX_STEPS):
        direction = history.improve(preconditioned, gradients)
        descent = (gradients * direction).flatten(1).sum(1)
        resting = resting | (descent <= 2 * tolerance * values)
        if bool(resting.all()):
            break
        before = parameters, gradients, preconditioned
        parameters, values, gradients, stuck = _search(problem, parameters, values, direction, descent, resting)
        preconditioned = problem.precondition(gradients)
        resting = resting | stuck
        history.add(parameters - before[0], gradients - before[1], preconditioned - before[2])
    return parameters


class _History:
    """The last steps of each problem, which say where the preconditioner is wrong.

    Source: R. Byrd, J. Nocedal and R. Schnabel, Representations of quasi-Newton matrices, Mathematical Programming 63
    (1994), theorem 2.2, with the preconditioner in place of a multiple of the identity.
    """

    def __init__(self, like: Tensor) -> None:
        # For each problem the moves, the changes of the gradient, and those preconditioned, oldest first. There is
        # room for as many again, so that the window over the last ones moves along it and is seldom carried back.
        self._steps = torch.empty(3, like.shape[0], 2 * _MEMORY, like[0].numel(), dtype=like.dtype)
        self._end = 0

    def add(self, moved: Tensor, change: Tensor, preconditioned_change: Tensor) -> None:
        """Remember a step of every problem, each of shape (P, ...); the oldest one is forgotten."""
        if self._end == 2 * _MEMORY:
            self._steps[:, :, :_MEMORY] = self._steps[:, :, _MEMORY:]
            self._end = _MEMORY
        newest = self._steps[:, :, self._end]
        self._end += 1
        torch.stack([moved.flatten(1), change.flatten(1), preconditioned_change.flatten(1)], out=newest)
        # A resting problem did not move, and rounding can hide the curvature of a tiny step: such a step says nothing.
        newest *= (newest[0] * newest[1]).sum(1, keepdim=True) > 0

    def improve(self, preconditioned: Tensor, gradients: Tensor) -> Tensor:
        """The preconditioned gradients, corrected by what the steps tell: shape (P, ...)."""
        if not self._end:
            return preconditioned
        moved, change, preconditioned_change = self._steps[:, :, max(0, self._end - _MEMORY) : self._end]
        gradient = gradients.flatten(1)[:, :, None]
        products = moved @ change.mT
        curvature = products.diagonal(dim1=1, dim2=2)
        upper = products.triu() + torch.diag_embed((curvature == 0).to(products.dtype))
        by_move = torch.linalg.solve_triangular(upper, moved @ gradient, upper=True)
        inner = torch.diag_embed(curvature) + change @ preconditioned_change.mT
        by_change = torch.linalg.solve_triangular(
            upper.mT, inner @ by_move - preconditioned_change @ gradient, upper=False
        )
        correction: Tensor = moved.mT @ by_change - preconditioned_change.mT @ by_move
        return preconditioned + correction.view_as(preconditioned)


def _search(
    problem: StackedProblem, parameters: Tensor, values: Tensor, direction: Tensor, descent: Tensor, resting: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Halve each problem's step until its value falls enough; resting problems do not move, stuck ones give up."""
    length = (~resting).to(values.dtype)
    slack = _ROUNDING[values.dtype] * values.abs()
    for _ in range(_MAX_HALVINGS):
        tried = parameters - _scale(length, direction)
        new_values, new_gradients = problem.evaluate(tried)
        too_far = ~resting & ~(new_values <= values - _SUFFICIENT_DECREASE * length * descent + slack)
        if not bool(too_far.any()):
            return tried, new_values, new_gradients, too_far
        length = torch.where(too_far, length / 2, length)
    tried = parameters - _scale(torch.where(too_far, 0, length), direction)
    new_values, new_gradients = problem.evaluate(tried)
    return tried, new_values, new_gradients, too_far


def _scale(factors: Tensor, stacked: Tensor) -> Tensor:
    return factors.view(-1, *[1] * (stacked.dim() - 1)) * stacked
