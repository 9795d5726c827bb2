"""Rows that are alike are worth fewer than they are."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.effective_count import effective_count, totals_of


def alone(count: int) -> NDArray[np.int64]:
    return np.arange(count)


def test_pictures_that_are_all_their_own_group_count_in_full() -> None:
    values = np.random.default_rng(0).integers(0, 4, 300)

    assert effective_count(totals_of(values, alone(300))) == 300


def test_copies_count_once() -> None:
    """Ten times the same hundred pictures tell no more than these hundred."""
    values = np.random.default_rng(0).integers(0, 3, 100)

    found = effective_count(totals_of(np.tile(values, 10), np.tile(alone(100), 10)))

    assert found == pytest.approx(100, rel=0.02)


def test_groups_whose_pictures_have_nothing_in_common_lose_little() -> None:
    draw = np.random.default_rng(0)

    found = [effective_count(totals_of(draw.integers(0, 3, 1000), np.repeat(alone(200), 5))) for _ in range(20)]

    assert np.mean(found) == pytest.approx(970, abs=40)


@pytest.mark.parametrize(("values", "groups", "expected"), [([1, 1, 1], [0, 0, 1], 3), ([0, 1, 0], [0, 0, 0], 1)])
def test_what_tells_nothing_of_variance(values: list[int], groups: list[int], expected: float) -> None:
    assert effective_count(totals_of(np.array(values), np.array(groups))) == expected
