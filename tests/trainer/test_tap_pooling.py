"""Averages, peaks and quarters of maps, beside the same written out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainer.tap_pooling import peaks, pool, quarters


@pytest.fixture
def maps() -> Tensor:
    return torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(2))


def test_peaks_are_the_cubic_mean_of_what_is_above_0(maps: Tensor) -> None:
    above = np.maximum(maps.double().numpy(), 0)

    assert peaks(maps).numpy() == pytest.approx(np.cbrt((above**3).mean((2, 3))), rel=1e-5)


def test_one_strong_place_counts_for_more_in_peaks_than_in_the_average() -> None:
    crack, faint = torch.zeros(1, 1, 14, 14), torch.full((1, 1, 14, 14), 0.1)
    crack[0, 0, 5, 9] = 10.0

    assert pool(crack, "average") < pool(faint, "average")
    assert pool(crack, "peaks") > 10 * pool(faint, "peaks")


def test_where_nothing_is_above_0_there_are_no_peaks() -> None:
    assert torch.equal(peaks(-torch.ones(1, 2, 3, 3)), torch.zeros(1, 2))


def test_quarters_share_the_middle_row_of_an_odd_side(maps: Tensor) -> None:
    expected = [
        maps[:, :, rows, columns].mean((2, 3))
        for rows in (slice(0, 4), slice(3, 7))
        for columns in (slice(0, 3), slice(3, 6))
    ]

    assert torch.allclose(quarters(maps), torch.cat(expected, dim=1), atol=1e-6)
    assert torch.allclose(
        quarters(maps).reshape(2, 4, 3).transpose(1, 2),
        nn.functional.adaptive_avg_pool2d(maps, 2).flatten(2),
        atol=1e-6,
    )


def test_the_quarters_of_a_single_place_are_that_place() -> None:
    assert torch.equal(quarters(torch.full((1, 2, 1, 1), 3.0)), torch.full((1, 8), 3.0))
