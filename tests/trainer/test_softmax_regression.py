import numpy as np
import pytest
import torch

from tests.trainer.blobs import make_blobs
from trainer.softmax_regression import SoftmaxRegression


def regression(rows: int = 30, features: int = 5, l2: float = 0.1) -> SoftmaxRegression:
    """Three fits: on all rows, on the first two thirds, on every second row."""
    values, targets, _ = make_blobs(rows, features=features, classes=3)
    members = np.stack([np.ones(rows), np.arange(rows) < 2 * rows / 3, np.arange(rows) % 2 == 0], axis=1)
    std = 0.5 + np.random.default_rng(0).random((3, features))
    problem = SoftmaxRegression(
        torch.tensor(values, dtype=torch.float64),
        torch.tensor(targets),
        torch.tensor(members, dtype=torch.float64),
        torch.tensor(std),
        class_count=3,
    )
    problem.set_strength(l2)
    return problem


def test_the_gradient_is_that_of_the_objective() -> None:
    problem = regression()
    at = torch.randn(problem.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 10
    direction = torch.randn(problem.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-6

    _, gradient = problem.evaluate(at)

    difference = (problem.evaluate(at + step * direction)[0] - problem.evaluate(at - step * direction)[0]) / (2 * step)
    assert (gradient * direction).sum((1, 2)).numpy() == pytest.approx(difference.numpy(), rel=1e-6)


def test_a_fit_is_as_if_it_were_alone_with_its_rows() -> None:
    values, targets, _ = make_blobs(30, features=5, classes=3)
    together = regression()
    at = torch.full(together.shape, 0.1, dtype=torch.float64)
    at[:, 1] = -0.2
    std = torch.tensor(0.5 + np.random.default_rng(0).random((3, 5)))

    value, gradient = together.evaluate(at)

    alone = SoftmaxRegression(
        torch.tensor(values[::2], dtype=torch.float64),
        torch.tensor(targets[::2]),
        torch.ones(15, 1, dtype=torch.float64),
        std[2:],
        class_count=3,
    )
    alone.set_strength(0.1)
    expected_value, expected_gradient = alone.evaluate(at[2:])
    assert float(value[2]) == pytest.approx(float(expected_value[0]))
    assert gradient[2].numpy() == pytest.approx(expected_gradient[0].numpy())


def test_losses_and_logits_are_given_for_rows_outside_a_fit_too() -> None:
    problem = regression()

    problem.evaluate(torch.zeros(problem.shape, dtype=torch.float64))

    assert problem.logits.shape == (30, 3, 3)
    assert problem.losses.numpy() == pytest.approx(np.full((30, 3), np.log(3)))


@pytest.mark.parametrize(("rows", "features"), [(40, 6), (10, 25)])
def test_the_preconditioner_is_symmetric_and_positive(rows: int, features: int) -> None:
    """Both forms: from the features' side, and from the rows' side when those are fewer."""
    problem = regression(rows, features)
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(problem.shape, generator=generator, dtype=torch.float64) for _ in range(2))

    forth, back = (a * problem.precondition(b)).sum(), (b * problem.precondition(a)).sum()

    assert float(forth) == pytest.approx(float(back), rel=1e-3)
    assert float((a * problem.precondition(a)).sum()) > 0
