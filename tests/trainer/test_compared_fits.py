"""Fits that only compare recipes leave out what only the one that is taken needs; finished, it is the same head."""

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.blobs import make_blobs
from trainer.fitting import FitOptions, finish_head, fit_head
from trainer.recipe import FeatureRows, HeadKind, plain_rows

FEATURES, TARGETS, GROUPS = make_blobs(60, features=20, classes=3, distance=0.7)
OPTIONS = FitOptions(3, 0, 1)
COMPARED = replace(OPTIONS, is_compared=True)
WITH_VIEW = FeatureRows(FEATURES, FEATURES[None] + np.float32(0.1))


@pytest.mark.parametrize("rows", [plain_rows(FEATURES), WITH_VIEW], ids=["plain", "a view"])
@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("kind", ["probe", "blend", "prototype"])
def test_a_fit_that_is_finished_is_the_one_that_was_made_at_once(
    kind: HeadKind,
    rows: FeatureRows,
    balance: bool,  # noqa: FBT001
) -> None:
    whole = fit_head(kind, rows, TARGETS, GROUPS, replace(OPTIONS, balance=balance))
    compared = fit_head(kind, rows, TARGETS, GROUPS, replace(COMPARED, balance=balance))

    finished = finish_head(compared, rows, TARGETS, replace(COMPARED, balance=balance))

    assert compared.is_whole == (kind == "prototype")
    assert np.array_equal(compared.out_of_fold_logits, whole.out_of_fold_logits)
    assert finished.is_whole and finished.temperature == whole.temperature == compared.temperature
    for name in ("weight", "bias", "mean", "std"):
        assert np.array_equal(getattr(finished.head, name), getattr(whole.head, name)), name


def test_without_folds_there_is_nothing_to_leave_out() -> None:
    groups = [f"group {target}" for target in TARGETS]

    assert fit_head("probe", plain_rows(FEATURES), TARGETS, groups, COMPARED).is_whole
