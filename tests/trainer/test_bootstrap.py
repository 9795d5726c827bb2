"""trainer/bootstrap.py: intervals by drawing groups again."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.bootstrap import resample
from trainer.metrics import log_loss


def scored(n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(3), size=n)
    return probabilities, np.array([random.choice(3, p=row) for row in probabilities])


def alone(n: int) -> NDArray[np.str_]:
    return np.array([str(row) for row in range(n)])


def test_the_interval_holds_the_true_value_about_as_often_as_it_says() -> None:
    true = log_loss(*scored(50_000, seed=1))

    held = [
        low <= true <= high for low, high in (resample(*scored(100, seed), alone(100)).log_loss for seed in range(100))
    ]

    assert 0.86 <= np.mean(held) <= 1


def test_more_pictures_make_it_narrower_as_the_root_of_their_number() -> None:
    (few_low, few_high), (low, high) = (resample(*scored(n), alone(n)).macro_f1 for n in (200, 3200))

    assert (high - low) / (few_high - few_low) == pytest.approx(1 / 4, rel=0.35)


def test_copies_do_not_make_it_narrower() -> None:
    probabilities, targets = scored(50)
    groups = np.tile(alone(50), 8)

    copied = resample(np.tile(probabilities, (8, 1)), np.tile(targets, 8), groups)

    once = resample(probabilities, targets, alone(50))
    assert copied.log_loss == pytest.approx(once.log_loss)
    assert copied.macro_f1 == pytest.approx(once.macro_f1)


def test_a_class_that_a_draw_leaves_out_is_left_out_of_its_mean() -> None:
    probabilities = np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]])

    found = resample(probabilities, np.array([0] * 9 + [1]), alone(10))

    assert found.macro_accuracy == (1.0, 1.0)
