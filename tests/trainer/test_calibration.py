"""trainer/calibration.py: one temperature, found where the log loss is lowest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.calibration import fit_temperature
from trainer.metrics import softmax


def drawn_from(logits: NDArray[np.float64], seed: int = 0) -> NDArray[np.int64]:
    """Targets that fall as the softmax of the logits says."""
    random = np.random.default_rng(seed)
    beyond = softmax(logits).cumsum(axis=1) < random.random((len(logits), 1))
    return np.minimum(beyond.sum(axis=1), logits.shape[1] - 1).astype(np.int64)


@given(scale=st.sampled_from([0.25, 0.5, 1.0, 3.0, 8.0]), classes=st.sampled_from([2, 5]))
def test_the_factor_that_logits_are_too_large_by_is_found(scale: float, classes: int) -> None:
    logits = np.random.default_rng(classes).normal(size=(4000, classes)) * 2

    assert fit_temperature(scale * logits, drawn_from(logits)) == pytest.approx(scale, rel=0.1)


def test_no_rows_leave_the_logits_as_they_are() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64)) == 1.0


def test_forty_rows_that_are_all_right_do_not_make_the_next_one_certain() -> None:
    """The plain optimum lies at temperature 0, where a mistake costs 34 nats."""
    logits = np.tile([[4.0, 0.0], [0.0, 4.0]], (20, 1))

    score = softmax(logits / fit_temperature(logits, np.tile([0, 1], 20))).max()

    assert score == pytest.approx(41 / 42, abs=1e-3)


def test_lengths_must_agree_for_a_temperature() -> None:
    with pytest.raises(ValueError, match="2 rows of logits, 3 targets"):
        fit_temperature(np.zeros((2, 2)), np.zeros(3, np.int64))
