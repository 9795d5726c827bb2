"""L-BFGS over several independent convex problems at once, so that they share every matrix product."""

from collections import deque
from dataclasses import dataclass
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
        """An approximate inverse Hessian, symmetric and positive, times the gradients: shape (P, ...)."""
        ...


@dataclass(frozen=True)
class _Step:
    moved: Tensor
    gradient_change: Tensor
    inverse_curvature: Tensor


def minimise(problem: StackedProblem, start: Tensor, *, tolerance: float) -> Tensor:
    """Parameters near the minimum of each problem, shape (P, ...); the problem was evaluated there last.

    A problem rests once half its Newton decrement, which estimates how far its value is above the minimum, is below
    `tolerance` times its value, or once rounding hides any further descent.

    Source: J. Nocedal and S. Wright, Numerical Optimization (2006), algorithms 7.4 and 3.1.
    """
    parameters = start
    values, gradients = problem.evaluate(parameters)
    resting = torch.zeros_like(values, dtype=torch.bool)
    history: deque[_Step] = deque(maxlen=_MEMORY)
    for _ in range(_MAX_STEPS):
        direction = _direction(problem, gradients, history)
        descent = _dot(gradients, direction)
        resting = resting | (descent <= 2 * tolerance * values)
        if bool(resting.all()):
            break
        before = parameters, gradients
        parameters, values, gradients, stuck = _search(problem, parameters, values, direction, descent, resting)
        resting = resting | stuck
        history.append(_step(parameters - before[0], gradients - before[1]))
    return parameters


def _direction(problem: StackedProblem, gradients: Tensor, history: deque[_Step]) -> Tensor:
    """The two-loop recursion, from newest to oldest step and back."""
    direction, shares = gradients, []
    for step in reversed(history):
        shares.append(step.inverse_curvature * _dot(step.moved, direction))
        direction = direction - _scale(shares[-1], step.gradient_change)
    direction = problem.precondition(direction)
    for step, share in zip(history, reversed(shares), strict=True):
        back = step.inverse_curvature * _dot(step.gradient_change, direction)
        direction = direction + _scale(share - back, step.moved)
    return direction


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


def _step(moved: Tensor, gradient_change: Tensor) -> _Step:
    curvature = _dot(moved, gradient_change)
    usable = curvature > 0  # a resting problem did not move, and rounding can hide the curvature of a tiny step
    return _Step(
        moved, gradient_change, torch.where(usable, 1 / curvature.where(usable, torch.ones_like(curvature)), 0)
    )


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).flatten(1).sum(1)


def _scale(factors: Tensor, stacked: Tensor) -> Tensor:
    return factors.view(-1, *[1] * (stacked.dim() - 1)) * stacked
