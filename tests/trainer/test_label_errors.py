"""trainer/label_errors.py: confident learning on probabilities; heads and folds are tried in test_label_audit.py."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.label_errors import LabelError, calibrated, find_label_errors
from trainer.metrics import log_loss, softmax


def of_two_classes(second: list[float]) -> NDArray[np.float64]:
    """Probabilities whose second column is given."""
    return np.stack([1 - np.array(second), np.array(second)], axis=1)


def test_a_picture_that_looks_like_the_other_class_is_named() -> None:
    probabilities = of_two_classes([0.1, 0.2, 0.95, 0.8, 0.9, 0.85])
    targets = np.array([0, 0, 0, 1, 1, 1])

    (error,) = find_label_errors(probabilities, targets)

    assert (error.row, error.given, error.suggested) == (2, 0, 1)
    assert error.confidence == pytest.approx(0.95)


def test_those_with_the_widest_margin_come_first() -> None:
    probabilities = of_two_classes([0.1, 0.1, 0.1, 0.92, 0.99, 0.9, 0.9, 0.8, 0.03])
    targets = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])

    assert [error.row for error in find_label_errors(probabilities, targets)] == [4, 8, 3]


def test_a_class_that_is_hard_is_not_blamed_for_it() -> None:
    """Its pictures get 0.4 on average, so 0.45 is as sure of another class as it is of its own."""
    hard = np.array([[0.40, 0.45, 0.15], [0.42, 0.40, 0.18], [0.38, 0.44, 0.18]])
    easy = np.array([[0.02, 0.95, 0.03], [0.02, 0.93, 0.05], [0.03, 0.02, 0.95], [0.02, 0.04, 0.94]])

    assert find_label_errors(np.concatenate([hard, easy]), np.array([0, 0, 0, 1, 1, 2, 2])) == ()


def test_a_class_that_gets_less_than_the_label_is_no_suspicion() -> None:
    """A rare class is reached with little; as long as the label gets more, nothing is wrong."""
    probabilities = np.array([[0.55, 0.45], [0.9, 0.1], [0.95, 0.05], [0.6, 0.4], [0.6, 0.4]])

    assert find_label_errors(probabilities, np.array([0, 0, 0, 1, 1])) == ()


def test_thresholds_can_be_those_of_trusted_rows() -> None:
    """A wrong label lowers the threshold of its class, and with it what counts as confident of that class."""
    probabilities, targets = of_two_classes([0.05, 0.6, 0.9, 0.02]), np.array([0, 0, 1, 1])

    everything = find_label_errors(probabilities, targets)
    by_trusted = find_label_errors(probabilities, targets, trusted=np.array([True, False, True, False]))

    assert [error.row for error in everything] == [3, 1]
    assert [error.row for error in by_trusted] == [3]


def test_a_class_without_samples_is_never_suggested() -> None:
    probabilities = np.array([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])

    assert find_label_errors(probabilities, np.array([0, 0, 1, 1])) == ()


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 rows of probabilities, 3 targets"):
        find_label_errors(of_two_classes([0.1, 0.9]), np.array([0, 1, 1]))


def test_calibration_takes_back_what_is_too_sure() -> None:
    """Logits that are eight times too large lose their excess, and say of each row what was right before."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(2000, 3))
    targets = np.array([random.choice(3, p=row) for row in softmax(logits)])

    probabilities = calibrated(8 * logits, targets)

    assert abs(log_loss(probabilities, targets) - log_loss(softmax(logits), targets)) < 0.01
    assert np.abs(probabilities - softmax(logits)).max() < 0.1


def test_an_error_is_a_plain_value() -> None:
    assert LabelError(1, 0, 1, 0.9) == LabelError(1, 0, 1, 0.9)
