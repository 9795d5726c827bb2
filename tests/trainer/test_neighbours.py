"""trainer/neighbours.py: exact nearest rows, nearest first."""

import numpy as np

from trainer.neighbours import nearest, nearest_of_other_groups


def test_the_nearest_rows_are_those_of_a_full_sort() -> None:
    rows = np.random.default_rng(0).normal(size=(700, 20)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    products = rows @ rows.T
    np.fill_diagonal(products, -np.inf)

    found = nearest(rows, np.arange(700), 5)

    assert np.array_equal(found, np.argsort(-products, axis=1)[:, :5])


def test_a_row_is_not_its_own_neighbour_even_among_equals() -> None:
    rows = np.ones((4, 1), dtype=np.float32)

    assert nearest(rows, np.array([1, 3]), 2).tolist() == [[0, 2], [0, 1]]


def test_fewer_rows_than_asked_for_are_all_neighbours() -> None:
    assert nearest(np.eye(2, dtype=np.float32), np.array([0, 1]), 3).tolist() == [[1], [0]]


def test_a_neighbour_of_another_group_is_found_although_copies_are_nearer() -> None:
    rows = np.array([[1, 0], [1, 0], [0.9, 0.1], [0, 1], [0, 0]], dtype=np.float32)

    ((first, second),) = nearest_of_other_groups(rows, list("aabcd"), of=np.array([0]), among=np.arange(1, 4), count=2)

    assert (first[0], second) == (2, (3, 0.0))
    assert 0.99 < first[1] < 1


def test_where_all_are_of_one_group_there_is_no_neighbour() -> None:
    rows = np.eye(3, dtype=np.float32)

    assert nearest_of_other_groups(rows, list("aaa"), of=np.array([0]), among=np.arange(3), count=2) == [[]]
