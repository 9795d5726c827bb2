from typing import get_args

import numpy as np
import pytest

from tests.trainer.blobs import make_blobs
from trainer.balance import BalanceEffect, measure_balance
from trainer.calibration import measure_calibration
from trainer.fitting import FitOptions, fit_head
from trainer.learned_rows import balanced_weights
from trainer.metrics import macro_accuracy, softmax
from trainer.recipe import FeatureRows, HeadKind, plain_rows
from trainer.split import make_folds

Data = tuple[FeatureRows, np.ndarray, list[str]]


def rare_and_common() -> Data:
    """Two overlapping classes, one with eight times the pictures of the other."""
    features, targets, groups = make_blobs(600, features=10, classes=2, distance=0.5)
    kept = np.flatnonzero((targets == 0) | (np.arange(600) % 16 == 1))
    return plain_rows(features[kept]), targets[kept], [groups[row] for row in kept]


def effect_of(data: Data, *, balance: bool, kind: HeadKind = "probe") -> BalanceEffect | None:
    options = FitOptions(2, 0, 1, balance)
    return measure_balance(fit_head(kind, *data, options), *data, options)


def test_weighing_labels_alike_helps_the_rare_one_and_costs_log_loss() -> None:
    found = effect_of(rare_and_common(), balance=False)

    assert found is not None
    assert not found.balanced
    assert found.labels.macro_accuracy > found.pictures.macro_accuracy + 0.03
    assert found.labels.log_loss > found.pictures.log_loss


@pytest.mark.parametrize("kind", get_args(HeadKind))
def test_the_other_way_is_measured_by_heads_that_had_not_seen_the_rows(kind: HeadKind) -> None:
    rows, targets, groups = data = rare_and_common()
    fit = fit_head(kind, *data, FitOptions(2, 0, 1))

    found = effect_of(data, balance=False, kind=kind)

    folds, expected = make_folds(targets, groups, fit.folds, seed=0), np.zeros((len(targets), 2), np.float32)
    for fold in range(fit.folds):
        seen, held = np.flatnonzero(folds != fold), folds == fold
        of_fold = [groups[row] for row in seen]
        balanced = FitOptions(2, 0, 1, balance=True)
        head = fit_head(kind, rows.take(seen), targets[seen], of_fold, balanced, like=fit).head
        expected[held] = head.logits(rows.plain[held])
    assert found is not None
    assert found.labels.macro_accuracy == pytest.approx(macro_accuracy(softmax(expected), targets), abs=0.02)
    assert found.labels.macro_accuracy > found.pictures.macro_accuracy + 0.03


def test_the_calibration_error_of_what_was_taken_is_the_one_that_the_report_tells() -> None:
    rows, targets, _ = rare_and_common()
    groups = [f"{row % 30:02}" for row in range(len(targets))]
    data = rows, targets, groups
    fit = fit_head("probe", *data, FitOptions(2, 0, 1))

    found = effect_of(data, balance=False)

    assert found is not None
    expected = measure_calibration(fit.out_of_fold_logits, targets, fit.temperature, groups=groups).after
    assert found.pictures.calibration_error == pytest.approx(expected)


def test_with_balance_the_taken_one_is_the_balanced_one() -> None:
    found = effect_of(rare_and_common(), balance=True)

    assert found is not None
    assert found.balanced
    assert found.labels.macro_accuracy > found.pictures.macro_accuracy


def test_there_is_no_effect_where_all_labels_have_as_many_pictures() -> None:
    features, targets, groups = make_blobs(40, features=5, classes=2)

    assert effect_of((plain_rows(features), targets, groups), balance=False) is None


def test_balanced_weights_give_each_class_the_same_total() -> None:
    targets = np.array([0, 0, 0, 1, 2, 2])

    weights = balanced_weights(targets, 3)

    assert [float(weights[targets == k].sum()) for k in range(3)] == pytest.approx([2, 2, 2])
