import pytest
import torch

from trainer.curvature import Curvature


@pytest.mark.parametrize(("rows", "columns"), [(50, 7), (7, 50), (20, 20)])
def test_it_solves_with_the_weighted_covariance_from_either_side(rows: int, columns: int) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(rows, columns, generator=generator)
    weights = torch.rand(rows, generator=generator) + 0.01
    wanted = torch.randn(3, columns, generator=generator)
    curvature = Curvature(features, weights)
    curvature.set_scale(0.5, 0.2)

    found = curvature.solve(wanted)

    matrix = 0.5 * features.T @ (weights[:, None] * features) + 0.2 * torch.eye(columns)
    assert (found @ matrix).numpy() == pytest.approx(wanted.numpy(), abs=1e-3)


def test_the_type_of_what_is_solved_for_is_kept() -> None:
    curvature = Curvature(torch.eye(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    curvature.set_scale(1.0, 1.0)

    assert curvature.solve(torch.ones(1, 3, dtype=torch.float64)).dtype == torch.float64
