"""trainer/calibration.py: one temperature, found where the log loss is lowest, and what is left of the error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.trainer.blobs import make_blobs
from trainer.calibration import (
    calibration_error,
    cross_fitted,
    fit_temperature,
    measure_calibration,
    perfect_calibration_error,
    reliability_bins,
)
from trainer.metrics import softmax
from trainer.samples import Sample
from trainer.training import Training, measure


def drawn_from(logits: NDArray[np.float64], seed: int = 0) -> NDArray[np.int64]:
    """Targets that fall as the softmax of the logits says."""
    random = np.random.default_rng(seed)
    beyond = softmax(logits).cumsum(axis=1) < random.random((len(logits), 1))
    return np.asarray(np.minimum(beyond.sum(axis=1), logits.shape[1] - 1), dtype=np.int64)


@given(scale=st.sampled_from([0.25, 0.5, 1.0, 3.0, 8.0]), classes=st.sampled_from([2, 5]))
def test_the_factor_that_logits_are_too_large_by_is_found(scale: float, classes: int) -> None:
    logits = np.random.default_rng(classes).normal(size=(4000, classes)) * 2

    assert fit_temperature(scale * logits, drawn_from(logits)) == pytest.approx(scale, rel=0.1)


def test_no_rows_leave_the_logits_as_they_are() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64)) == 1.0


def test_forty_rows_that_are_all_right_do_not_make_the_next_one_certain() -> None:
    """The plain optimum lies at temperature 0, where a mistake costs 34 nats."""
    logits, targets = np.tile([[4.0, 0.0], [0.0, 4.0]], (20, 1)), np.tile([0, 1], 20)

    assert 0.6 < fit_temperature(logits, targets) < 1
    assert fit_temperature(logits, targets, prudent=False) < 0.06


@pytest.mark.parametrize("n", [1000, 12_000])
def test_prudence_costs_a_thousand_rows_nothing(n: int) -> None:
    logits = np.random.default_rng(0).normal(size=(n, 4)) * 2
    targets = drawn_from(logits)

    prudent, plain = fit_temperature(4 * logits, targets), fit_temperature(4 * logits, targets, prudent=False)

    assert prudent == pytest.approx(plain, rel=0.01)


def test_lengths_must_agree_for_a_temperature() -> None:
    with pytest.raises(ValueError, match="2 rows of logits, 3 targets"):
        fit_temperature(np.zeros((2, 2)), np.zeros(3, np.int64))


def test_five_predictions_counted_by_hand() -> None:
    """Scores 0.6 and 0.6 (bin 9), 0.9 and 0.93 (bin 14), 1.0 (bin 15); bins have their upper edge."""
    score = np.array([0.6, 0.6, 0.9, 0.93, 1.0])
    probabilities = np.stack([score, 1 - score], axis=1)
    targets = np.array([0, 1, 0, 0, 1])

    bins = reliability_bins(probabilities, targets)

    assert [(one.n, one.accuracy) for one in bins] == [(2, 0.5), (2, 1.0), (1, 0.0)]
    assert [one.high for one in bins] == pytest.approx([9 / 15, 14 / 15, 1.0])
    assert calibration_error(probabilities, targets) == pytest.approx((2 * 0.1 + 2 * 0.085 + 1 * 1.0) / 5)


@given(seed=st.integers(0, 30), classes=st.integers(2, 6))
def test_the_error_is_the_weighted_gap_of_the_bins_however_it_is_counted(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = softmax(random.normal(size=(random.integers(1, 200), classes)) * 2)
    targets = random.integers(0, classes, len(probabilities))
    score, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets

    expected = 0.0
    for low in np.arange(15) / 15:
        own = (score > low) & (score <= low + 1 / 15)
        expected += abs((right[own] - score[own]).sum()) / len(targets)

    assert calibration_error(probabilities, targets) == pytest.approx(expected)


def test_a_perfect_model_shows_the_error_that_is_told_of_it() -> None:
    """At 200 pictures chance alone makes some percent; who does not know that looks for a fault that is not there."""
    random = np.random.default_rng(1)
    probabilities = softmax(random.normal(size=(200, 3)) * 2)
    logits = np.log(probabilities)

    mean, upper = perfect_calibration_error(probabilities.max(axis=1))
    errors = [calibration_error(probabilities, drawn_from(logits, seed)) for seed in range(200)]

    assert mean == pytest.approx(np.mean(errors), abs=0.002)
    assert 0.9 <= np.mean(np.array(errors) <= upper) <= 0.99
    assert 0.03 < mean < upper < 0.12


def test_true_scores_of_a_few_series_are_not_called_wrong() -> None:
    """Twenty pictures of one series are right together: eight draws, and chance leaves much more than of 160."""
    random, groups = np.random.default_rng(1), np.arange(160) % 8
    probabilities = softmax(np.tile(random.normal(size=(8, 3)) * 2, (20, 1)) + random.normal(size=(160, 3)) * 0.1)
    score = probabilities.max(axis=1)

    of_series, of_pictures = perfect_calibration_error(score, groups)[1], perfect_calibration_error(score)[1]
    errors = [_error_of_true_scores(probabilities, groups, seed) for seed in range(200)]

    assert np.mean(np.array(errors) > of_pictures) > 0.9
    assert 0.01 <= np.mean(np.array(errors) > of_series) <= 0.1


def _error_of_true_scores(probabilities: NDArray[np.float64], groups: NDArray[np.int64], seed: int) -> float:
    """Each group is right where one number, which is its own, is below the score."""
    likely, luck = probabilities.argmax(axis=1), np.random.default_rng(100 + seed).random(groups.max() + 1)
    is_right = luck[groups] < probabilities.max(axis=1)
    return calibration_error(probabilities, np.where(is_right, likely, (likely + 1) % probabilities.shape[1]))


def test_groups_of_one_change_nothing() -> None:
    logits = np.random.default_rng(0).normal(size=(300, 4)) * 2
    targets, names = drawn_from(logits), [f"{row:03}" for row in reversed(range(300))]

    assert measure_calibration(logits, targets, 1.0, groups=names) == measure_calibration(logits, targets, 1.0)


def test_a_run_measures_its_calibration_by_groups() -> None:
    features, targets, _ = make_blobs(240, features=6, classes=2, distance=1)
    groups = tuple(f"{row // 2 % 12:02}" for row in range(240))
    samples = tuple(Sample(str(row), str(row), "a", f"{row:064}", None) for row in range(240))
    training = Training(samples, ("a", "b"), features, targets, groups, ("train",) * 240)

    measured = measure(training, seed=0, threads=1)

    logits, temperature = measured.fit.out_of_fold_logits, measured.fit.temperature
    assert measured.calibration == measure_calibration(logits, targets, temperature, groups=groups)
    assert measured.cross_validated is not None and measured.calibration is not None
    score = cross_fitted(logits, targets, groups).max(axis=1)
    assert measured.calibration.perfect == perfect_calibration_error(score, groups)[0]
    assert measured.calibration.perfect > 1.3 * perfect_calibration_error(score)[0]
    alone = perfect_calibration_error(measured.fit.out_of_fold_probabilities.max(axis=1))[0]
    assert measured.cross_validated.perfect_calibration_error > 1.3 * alone


def test_more_pictures_leave_chance_less() -> None:
    score = np.linspace(0.4, 1.0, 100)

    assert perfect_calibration_error(np.tile(score, 100))[1] < perfect_calibration_error(score)[0] / 5


def test_calibration_is_measured_before_and_after() -> None:
    logits = np.random.default_rng(0).normal(size=(2000, 4)) * 2
    targets = drawn_from(logits)
    temperature = fit_temperature(5 * logits, targets)

    found = measure_calibration(5 * logits, targets, temperature)

    assert found.before > 0.2
    assert found.after < 0.03
    assert found.perfect < found.perfect_95 < 0.05
    assert (found.n, found.temperature) == (2000, temperature)
    assert sum(one.n for one in found.bins) == 2000
    assert found == measure_calibration(5 * logits, targets, temperature)


def test_a_row_has_no_say_in_the_temperature_it_is_measured_at() -> None:
    """Its own target may change without its probabilities changing."""
    logits = np.random.default_rng(0).normal(size=(200, 3))
    targets = drawn_from(logits)
    other = targets.copy()
    other[3] = (other[3] + 1) % 3

    before, after = cross_fitted(logits, targets), cross_fitted(logits, other)

    of_own, of_others = np.abs(before[:10] - after[:10]).max(), np.abs(before[10:] - after[10:]).max()
    assert of_own < 1e-4  # where the search begins is told from all rows, where it ends is not
    assert of_others > 10 * of_own


def test_nor_has_its_group_a_say_wherever_its_pictures_lie() -> None:
    """Near duplicates and series are anywhere in the order of digests; here, the rows of a group are 40 apart."""
    logits = np.random.default_rng(0).normal(size=(200, 3))
    targets, groups = drawn_from(logits), np.arange(200) % 40
    other = np.where(groups == 5, (targets + 1) % 3, targets)

    before, after = cross_fitted(logits, targets, groups), cross_fitted(logits, other, groups)

    moved = np.abs(before - after).max(axis=1)
    assert moved[groups == 5].max() < 1e-4
    assert (moved[(groups < 4) | (groups > 5)] > 1e-3).mean() > 0.9
    assert np.abs(cross_fitted(logits, targets) - cross_fitted(logits, other))[groups == 5].max() > 1e-3


@pytest.mark.parametrize("size", [3, 50, 200])
def test_groups_of_any_size_are_cross_fitted(size: int) -> None:
    """All rows in one group leave nothing to fit to, and so the logits as they are."""
    logits = np.random.default_rng(0).normal(size=(200, 3))
    groups = [str(row // size) for row in range(200)]

    found = cross_fitted(logits, drawn_from(3 * logits), groups)

    assert np.allclose(found.sum(axis=1), 1)
    assert np.allclose(found, softmax(logits), atol=0.01) == (size == 200)


def test_the_temperature_of_a_twentieth_is_the_one_that_fits_the_others() -> None:
    logits = 3 * np.random.default_rng(0).normal(size=(400, 4))
    targets = drawn_from(logits / 2)

    found = cross_fitted(logits, targets)

    for start in (0, 20, 380):
        own = (np.arange(400) >= start) & (np.arange(400) < start + 20)
        expected = softmax(logits[own] / fit_temperature(logits[~own], targets[~own]))
        assert found[own] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_handful_of_rows_is_measured_too(n: int) -> None:
    logits = np.random.default_rng(0).normal(size=(n, 3))

    assert np.allclose(cross_fitted(logits, np.zeros(n, np.int64)).sum(axis=1), 1)
    assert measure_calibration(logits, np.zeros(n, np.int64), 1.0).n == n


def test_nothing_has_no_calibration_error() -> None:
    with pytest.raises(ValueError, match="0 targets for 0 rows"):
        calibration_error(np.zeros((0, 2)), np.zeros(0, np.int64))
