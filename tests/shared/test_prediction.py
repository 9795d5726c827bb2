"""Predictions: the best labels first, in a stable order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.prediction import Prediction, top_k

LABELS = ("ant", "bee", "cat", "dog")


def test_the_most_probable_labels_come_first_with_their_scores() -> None:
    probabilities = np.array([0.125, 0.5, 0.0, 0.375], np.float32)

    assert top_k(probabilities, LABELS, 2) == [Prediction("bee", 0.5), Prediction("dog", 0.375)]


def test_more_than_there_are_gives_all() -> None:
    assert [prediction.label for prediction in top_k(np.full(4, 0.25, np.float32), LABELS, 99)] == list(LABELS)


def test_equal_scores_keep_the_order_of_the_labels() -> None:
    probabilities = np.array([0.2, 0.3, 0.2, 0.3], np.float32)

    assert [prediction.label for prediction in top_k(probabilities, LABELS, 4)] == ["bee", "dog", "ant", "cat"]


@pytest.mark.parametrize(("count", "k"), [(4, 0), (4, -1), (3, 1), (0, 1)])
def test_no_predictions_or_another_number_of_labels_is_a_mistake_of_the_caller(count: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"k = {k} of 4 labels for {count} probabilities"):
        top_k(np.zeros(count, np.float32), LABELS, k)


@settings(deadline=None)
@given(scores=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50), k=st.integers(1, 60))
def test_scores_fall_and_are_the_largest(scores: list[float], k: int) -> None:
    probabilities = np.array(scores, np.float32)
    labels = [str(number) for number in range(len(scores))]

    found = top_k(probabilities, labels, k)

    assert [prediction.score for prediction in found] == sorted(probabilities.tolist(), reverse=True)[:k]
    assert all(prediction.score == probabilities[int(prediction.label)] for prediction in found)
    assert all(type(prediction.score) is float for prediction in found)
