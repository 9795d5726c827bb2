"""The part of the pictures that recipes are compared on has all labels, and whole groups."""

from collections import Counter

import numpy as np
import pytest

from trainer.folds import FOLDS, fewest_groups
from trainer.group_sample import sample_groups

TARGETS = np.repeat([0, 1, 2], [800, 190, 10])
ALONE = [str(row) for row in range(1000)]


def test_every_label_has_its_share_and_a_rare_one_all_it_needs() -> None:
    taken = sample_groups(TARGETS, ALONE, 200, seed=0)

    assert Counter(TARGETS[taken].tolist()) == {0: 160, 1: 38, 2: 10}
    assert np.all(np.diff(taken) > 0)


@pytest.mark.parametrize("size", [3, 40])
def test_groups_stay_whole_and_are_enough_for_folds(size: int) -> None:
    groups = [f"{target}-{row // size}" for row, target in enumerate(TARGETS.tolist())]
    common = TARGETS < 2
    kept_groups = [group for group, is_kept in zip(groups, common, strict=True) if is_kept]

    taken = sample_groups(TARGETS[common], kept_groups, 100, seed=0)

    chosen = {kept_groups[row] for row in taken}
    assert len(taken) == sum(group in chosen for group in kept_groups)
    assert fewest_groups(TARGETS[common][taken], [kept_groups[row] for row in taken]) >= min(FOLDS, 190 // size)


def test_the_same_seed_gives_the_same_part_and_another_another() -> None:
    first = sample_groups(TARGETS, ALONE, 200, seed=0)

    assert np.array_equal(first, sample_groups(TARGETS, ALONE, 200, seed=0))
    assert not np.array_equal(first, sample_groups(TARGETS, ALONE, 200, seed=1))


def test_where_all_are_wished_for_all_are_taken() -> None:
    assert np.array_equal(sample_groups(TARGETS, ALONE, 1000, seed=0), np.arange(1000))
