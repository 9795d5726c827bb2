import pytest
import torch
from torch import Tensor

from trainer.lbfgs import minimise


class Bowls:
    """Quadratic functions with minima in known places; one is a million times steeper in one direction than another."""

    def __init__(self, minima: Tensor, steepness: Tensor) -> None:
        self.minima, self.steepness, self.evaluations = minima, steepness, 0

    def evaluate(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        self.evaluations += 1
        away = parameters - self.minima
        return 1 + (self.steepness * away.square()).sum(1) / 2, self.steepness * away

    def precondition(self, gradients: Tensor) -> Tensor:
        return gradients


class Valleys:
    """log(1 + exp(x)) + l2 x^2: a full step from far out goes astray, so that the search must shorten it."""

    def evaluate(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        values = torch.nn.functional.softplus(30 * parameters) + 0.01 * parameters.square()
        return values.sum(1), 30 * torch.sigmoid(30 * parameters) + 0.02 * parameters

    def precondition(self, gradients: Tensor) -> Tensor:
        return 20 * gradients


def test_problems_of_different_difficulty_all_reach_their_minimum() -> None:
    minima = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], dtype=torch.float64)
    steepness = torch.tensor([[1.0, 1.0, 1.0], [1e-3, 1.0, 1e3]], dtype=torch.float64)

    found = minimise(Bowls(minima, steepness), torch.zeros_like(minima), tolerance=1e-12)

    assert found.numpy() == pytest.approx(minima.numpy(), abs=1e-3)


def test_a_problem_that_starts_at_its_minimum_is_left_alone() -> None:
    minima = torch.ones(2, 3)
    bowls = Bowls(minima, torch.ones(2, 3))

    found = minimise(bowls, minima.clone(), tolerance=1e-6)

    assert torch.equal(found, minima)
    assert bowls.evaluations == 1


def test_steps_that_go_too_far_are_shortened() -> None:
    start = torch.full((3, 1), 2.0, dtype=torch.float64)

    found = minimise(Valleys(), start, tolerance=1e-9)

    values, gradients = Valleys().evaluate(found)
    assert gradients.abs().max() < 1e-3
    assert values.max() < 0.02


def test_a_problem_that_rests_does_not_move_while_others_go_on() -> None:
    minima = torch.zeros(2, 2, dtype=torch.float64)
    bowls = Bowls(minima, torch.tensor([[1.0, 1.0], [1.0, 1e4]], dtype=torch.float64))
    start = torch.tensor([[0.0, 0.0], [3.0, 3.0]], dtype=torch.float64)

    found = minimise(bowls, start, tolerance=1e-10)

    assert torch.equal(found[0], start[0])
    assert found[1].numpy() == pytest.approx([0, 0], abs=1e-3)
