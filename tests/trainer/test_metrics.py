import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer import metrics

# Four samples of three classes; the second is a mistake, the fourth a tie that the lower index wins.
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6], [0.4, 0.4, 0.2]])
TARGETS = np.array([0, 1, 2, 0])

Scored = tuple[NDArray[np.float64], NDArray[np.int64]]


@st.composite
def scored(draw: st.DrawFn) -> Scored:
    """Probabilities and targets of any confidence, some of them certain and wrong."""
    classes, rows = draw(st.integers(2, 5)), draw(st.integers(1, 12))
    logits = draw(
        st.lists(st.lists(st.floats(-50, 50), min_size=classes, max_size=classes), min_size=rows, max_size=rows)
    )
    targets = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    return metrics.softmax(np.array(logits)), np.array(targets)


def test_four_samples_counted_by_hand() -> None:
    assert metrics.accuracy(PROBABILITIES, TARGETS) == 0.75
    assert metrics.per_class_accuracy(PROBABILITIES, TARGETS) == [1.0, 0.0, 1.0]
    assert metrics.macro_accuracy(PROBABILITIES, TARGETS) == pytest.approx(2 / 3)
    assert metrics.confusion_matrix(PROBABILITIES, TARGETS).tolist() == [[2, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_log_loss_is_the_mean_of_minus_the_logarithms() -> None:
    expected = -(math.log(0.7) + math.log(0.3) + math.log(0.6) + math.log(0.4)) / 4

    assert metrics.log_loss(PROBABILITIES, TARGETS) == pytest.approx(expected)
    assert metrics.per_class_log_loss(PROBABILITIES, TARGETS) == pytest.approx(
        [-(math.log(0.7) + math.log(0.4)) / 2, -math.log(0.3), -math.log(0.6)]
    )


def test_a_certain_mistake_costs_what_it_costs_in_ml_net() -> None:
    """The floor of 1e-15 keeps one impossible answer from making the whole number infinite."""
    probabilities = np.array([[1.0, 0.0]], np.float32)

    assert metrics.log_loss(probabilities, np.array([1])) == pytest.approx(math.log(1e15))


def test_log_loss_reduction_compares_with_the_label_frequencies_of_the_same_samples() -> None:
    entropy = -(0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25))
    loss = metrics.log_loss(PROBABILITIES, TARGETS)

    assert metrics.log_loss_reduction(PROBABILITIES, TARGETS) == pytest.approx((entropy - loss) / entropy)


def test_predicting_the_label_frequencies_reduces_nothing() -> None:
    frequencies = np.tile([0.75, 0.25], (4, 1))

    assert metrics.log_loss_reduction(frequencies, np.array([0, 0, 1, 0])) == pytest.approx(0)


def test_there_is_no_log_loss_reduction_for_a_single_label() -> None:
    assert metrics.log_loss_reduction(np.array([[0.9, 0.1]]), np.array([0])) is None


def test_a_class_without_samples_is_left_out_of_the_macro_accuracy() -> None:
    probabilities, targets = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0]]), np.array([0, 1])

    assert metrics.macro_accuracy(probabilities, targets) == 0.5
    assert metrics.per_class_accuracy(probabilities, targets) == [1.0, 0.0, None]
    assert metrics.per_class_log_loss(probabilities, targets)[2] is None


def test_top_k_takes_the_lower_index_of_equal_scores() -> None:
    probabilities = np.array([[0.4, 0.3, 0.3]])

    assert metrics.top_k_accuracy(probabilities, np.array([1]), 2) == 1.0
    assert metrics.top_k_accuracy(probabilities, np.array([2]), 2) == 0.0
    assert metrics.top_k_accuracy(probabilities, np.array([2]), 99) == 1.0


@given(scored())
def test_top_1_is_accuracy_and_top_k_grows_to_1(case: Scored) -> None:
    values = [metrics.top_k_accuracy(*case, k) for k in range(1, case[0].shape[1] + 1)]

    assert metrics.top_k_accuracy_for_all_k(*case).tolist() == values
    assert values[0] == metrics.accuracy(*case)
    assert values == sorted(values)
    assert values[-1] == 1.0


@given(scored())
def test_the_confusion_matrix_holds_every_sample_and_its_diagonal_the_right_ones(case: Scored) -> None:
    probabilities, targets = case
    table = metrics.confusion_matrix(probabilities, targets)

    assert table.sum(axis=1).tolist() == np.bincount(targets, minlength=probabilities.shape[1]).tolist()
    assert table.trace() / len(targets) == pytest.approx(metrics.accuracy(probabilities, targets))


@given(scored())
def test_log_loss_lies_between_0_and_the_cost_of_a_certain_mistake(case: Scored) -> None:
    assert 0 <= metrics.log_loss(*case) <= math.log(1e15) + 1e-9


@given(scored(), st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(case: Scored, random: Random) -> None:
    probabilities, targets = case
    order = list(range(len(targets)))
    random.shuffle(order)

    assert metrics.log_loss(probabilities[order], targets[order]) == pytest.approx(metrics.log_loss(*case))
    assert metrics.macro_accuracy(probabilities[order], targets[order]) == pytest.approx(metrics.macro_accuracy(*case))


@given(scored())
def test_softmax_gives_probabilities_for_logits_of_any_size(case: Scored) -> None:
    probabilities = metrics.softmax(1e4 * case[0] - 5e3)

    assert np.isfinite(probabilities).all()
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_softmax_does_not_change_when_all_logits_move_together() -> None:
    logits = np.array([[1.0, 2.0, 3.0]], np.float32)

    assert metrics.softmax(logits + 100) == pytest.approx(metrics.softmax(logits))
    assert metrics.softmax(logits)[0] == pytest.approx([0.09003, 0.24473, 0.66524], abs=1e-5)


@pytest.mark.parametrize(
    "metric",
    [metrics.accuracy, metrics.macro_accuracy, metrics.log_loss, metrics.log_loss_reduction, metrics.confusion_matrix],
)
@pytest.mark.parametrize("rows", [0, 3])
def test_nothing_to_score_and_lengths_that_differ_are_refused(metric: Callable[..., object], rows: int) -> None:
    with pytest.raises(ValueError, match=f"{rows} targets for"):
        metric(PROBABILITIES if rows else PROBABILITIES[:0], np.zeros(rows, np.int64))


def test_top_0_is_refused() -> None:
    with pytest.raises(ValueError, match="k = 0"):
        metrics.top_k_accuracy(PROBABILITIES, TARGETS, 0)
