"""trainer/outliers.py: what is far from everything is named, what is merely rare or copied is not."""

import numpy as np
from numpy.typing import NDArray

from trainer.outliers import FEWEST_GROUPS, NEIGHBOURS, find_outliers


def features_of(n: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Rows as a backbone gives them: not negative, in three heaps."""
    random = np.random.default_rng(seed)
    centres = np.abs(random.normal(size=(3, 64))) * 3
    return np.abs(centres[np.arange(n) % 3] + random.normal(size=(n, 64))).astype(np.float32)


def groups_of(n: int) -> list[str]:
    return [f"{number:04}" for number in range(n)]


def stray(seed: int) -> NDArray[np.float32]:
    return np.abs(np.random.default_rng(seed).normal(size=64) * 6).astype(np.float32)


def test_a_stray_picture_is_named_first() -> None:
    features = features_of(200)
    features[17] = stray(1)

    outliers = find_outliers(features, groups_of(200))

    assert outliers[0].row == 17
    assert outliers[0].ratio > 1.2


def test_an_ordinary_data_set_has_hardly_any() -> None:
    assert len(find_outliers(features_of(500), groups_of(500))) <= 2


def test_copies_of_a_stray_picture_do_not_hide_it() -> None:
    """They are one group, and no neighbours of each other."""
    features, groups = features_of(200), groups_of(200)
    features[:10] = stray(2)
    groups[:10] = ["0000"] * 10

    assert {outlier.row for outlier in find_outliers(features, groups)} >= set(range(10))


def test_a_rare_kind_of_picture_is_no_outlier() -> None:
    """More than a few alike, but different, are part of the data set."""
    features = features_of(300)
    features[: NEIGHBOURS + 3] = stray(3) + np.abs(np.random.default_rng(4).normal(size=(NEIGHBOURS + 3, 64)) * 0.5)

    assert not {outlier.row for outlier in find_outliers(features, groups_of(300))} & set(range(NEIGHBOURS + 3))


def test_a_plain_picture_with_weak_features_is_not_hidden_by_their_size() -> None:
    """A placeholder excites few features, and would lie near the mean of everything if only its place counted."""
    features = features_of(200)
    features[5] = stray(5) / 8

    assert [outlier.row for outlier in find_outliers(features, groups_of(200))][:1] == [5]


def test_it_does_not_depend_on_the_order_of_the_rows() -> None:
    features, groups = features_of(200), groups_of(200)
    features[17], features[90] = stray(6), stray(7)
    order = np.random.default_rng(0).permutation(200)

    found = find_outliers(features, groups)
    shuffled = find_outliers(features[order], [groups[row] for row in order])

    assert [groups[one.row] for one in found] == [groups[order[one.row]] for one in shuffled]


def test_of_a_few_pictures_nothing_is_said() -> None:
    features = features_of(FEWEST_GROUPS - 1)
    features[0] = stray(8)

    assert find_outliers(features, groups_of(FEWEST_GROUPS - 1)) == ()


def test_a_data_set_of_copies_has_none() -> None:
    assert find_outliers(np.ones((50, 8), np.float32), groups_of(50)) == ()
