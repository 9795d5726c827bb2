import numpy as np
import pytest

from trainer.standardise import FLOOR, PRIOR_ROWS, floored, shrunk, shrunk_standardisation, standardisation


def test_standardised_features_have_mean_0_and_deviation_1() -> None:
    features = np.random.default_rng(0).normal(5, 3, size=(100, 4)).astype(np.float32)

    mean, std = standardisation(features)

    standardised = (features - mean) / std
    assert standardised.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert standardised.std(axis=0) == pytest.approx(1, abs=1e-5)
    assert mean.dtype == std.dtype == np.float32


def test_a_constant_feature_is_divided_by_a_share_of_the_typical_deviation() -> None:
    features = np.array([[1, 7], [3, 7]], np.float32)

    _, std = standardisation(features)

    assert std == pytest.approx([1, FLOOR * np.sqrt(0.5)])


def test_features_that_are_all_constant_are_divided_by_one() -> None:
    assert standardisation(np.ones((3, 2), np.float32))[1] == pytest.approx([1, 1])


def test_the_floor_is_taken_for_each_row_of_deviations_by_itself() -> None:
    assert floored(np.array([[0.0, 1.0], [0.0, 100.0]]))[:, 0] == pytest.approx(
        [FLOOR * np.sqrt(0.5), FLOOR * 100 * np.sqrt(0.5)]
    )


def test_a_large_offset_does_not_spoil_the_deviation() -> None:
    """E[x^2] - E[x]^2 in float32 would lose all of it."""
    features = (10_000 + np.array([[0.0], [1.0]])).astype(np.float32)

    assert standardisation(features)[1] == pytest.approx([0.5])


def test_each_fit_is_shrunk_by_its_own_number_of_rows() -> None:
    """Towards the root mean square of its own deviations, as if PRIOR_ROWS more rows had shown that."""
    drawn = shrunk(np.array([[1.0, 7.0], [1.0, 7.0]]), np.array([[2.0], [1000.0]]))

    assert drawn[0] == pytest.approx(np.sqrt([(2 + PRIOR_ROWS * 25) / (2 + PRIOR_ROWS), (98 + PRIOR_ROWS * 25) / 5]))
    assert drawn[1] == pytest.approx([1, 7], rel=0.05)


def test_views_of_a_picture_count_as_one() -> None:
    """Copies tell nothing new of how much a feature differs."""
    features = np.array([[1, 0], [1, 2], [1.2, 4], [1, 6]], np.float32)

    with_copies = shrunk_standardisation(np.tile(features, (5, 1)), pictures=4)[1]

    assert with_copies == pytest.approx(shrunk_standardisation(features)[1])
