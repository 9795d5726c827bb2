from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.blobs import make_blobs
from trainer.blend import blend
from trainer.calibration import fit_temperature
from trainer.fitting import FitOptions, fit_head
from trainer.head import HeadFit
from trainer.recipe import FeatureRows, HeadKind, plain_rows

FEATURES, TARGETS, GROUPS = make_blobs(80, features=20, classes=3, distance=0.7)
OPTIONS = FitOptions(3, 0, 1)


def fit(kind: HeadKind, rows: FeatureRows | None = None, like: HeadFit | None = None) -> HeadFit:
    return fit_head(kind, rows or plain_rows(FEATURES), TARGETS, GROUPS, OPTIONS, like=like)


def test_a_blend_is_the_mean_of_the_calibrated_logits_of_both() -> None:
    probe, prototype, both = fit("probe"), fit("prototype"), fit("blend")

    def mean(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return (one / probe.temperature + other / prototype.temperature) / 2

    assert both.head.logits(FEATURES) == pytest.approx(
        mean(probe.head.logits(FEATURES), prototype.head.logits(FEATURES)), abs=1e-4
    )
    assert both.out_of_fold_logits == pytest.approx(
        mean(probe.out_of_fold_logits, prototype.out_of_fold_logits), abs=1e-5
    )
    assert both.temperature == pytest.approx(fit_temperature(both.out_of_fold_logits, TARGETS))
    assert (both.kind, both.folds, both.l2) == ("blend", probe.folds, probe.l2)
    assert [one.kind for one in both.parts] == ["probe", "prototype"]


def test_a_blend_on_more_rows_keeps_all_that_was_chosen_for_both() -> None:
    chosen = fit("blend")
    chosen = replace(chosen, parts=(replace(chosen.parts[0], l2=7.0), replace(chosen.parts[1], l2=0.33)), temperature=3)

    final = fit("blend", like=chosen)

    assert [one.l2 for one in final.parts] == [7.0, 0.33]
    assert [one.temperature for one in final.parts] == [one.temperature for one in chosen.parts]
    assert (final.temperature, len(final.out_of_fold_logits)) == (3, 0)


def test_views_are_learned_from_by_both() -> None:
    random = np.random.default_rng(0)
    views = FEATURES[None] + random.normal(size=(2, *FEATURES.shape)).astype(np.float32)

    both = fit("blend", FeatureRows(FEATURES, views))

    for part in both.parts:
        assert np.array_equal(part.head.weight, fit(part.kind, FeatureRows(FEATURES, views)).head.weight)


def test_without_folds_both_parts_take_what_is_fixed() -> None:
    groups = [f"group {target}" for target in TARGETS]

    both = fit_head("blend", plain_rows(FEATURES), TARGETS, groups, OPTIONS)

    assert (both.folds, both.temperature, both.out_of_fold_logits.shape) == (0, 1.0, (0, 3))
    assert "could not be chosen" in both.note


def test_heads_of_other_rows_are_not_blended() -> None:
    other = fit("prototype", plain_rows(FEATURES + np.float32(1)))

    with pytest.raises(ValueError, match="not fitted on the same rows"):
        blend(fit("probe"), other)
