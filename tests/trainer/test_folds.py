import numpy as np

from trainer.folds import fewest_groups


def test_groups_are_counted_by_class_and_the_fewest_are_told() -> None:
    targets = np.array([0, 0, 0, 1, 1, 1])

    assert fewest_groups(targets, ["a", "b", "c", "d", "d", "e"]) == 2


def test_a_group_of_two_classes_counts_for_both() -> None:
    assert fewest_groups(np.array([0, 0, 1, 1]), ["a", "b", "b", "c"]) == 2
