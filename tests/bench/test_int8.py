"""int8 is held against float32 fold by fold, and told in points and times."""

import pytest

from bench.int8 import Int8Against, differences
from trainer.cross_validation import CrossValidation, FoldResult
from trainer.fold_mean import FoldMean

NOTHING = FoldMean(0.0, (0.0, 0.0))


def validated(*accuracies: tuple[int, float]) -> CrossValidation:
    """Of (seed, accuracy) of each fold."""
    results = tuple(
        FoldResult(seed, fold, 1, 0.1, "probe", accuracy, accuracy, 0.0)
        for fold, (seed, accuracy) in enumerate(accuracies)
    )
    return CrossValidation(("a", "b"), 2, results, (), NOTHING, NOTHING, NOTHING)


def test_differences_are_of_the_same_fold_and_told_by_seed() -> None:
    before = validated((0, 0.8), (0, 0.6), (1, 0.7), (1, 0.7))
    after = validated((0, 0.9), (0, 0.5), (1, 0.8), (1, 0.8))

    assert differences(before, after) == pytest.approx([0.0, 0.1])


def test_a_line_tells_points_and_times() -> None:
    found = Int8Against(
        accuracy={"float32": 0.798, "int8": 0.802},
        difference=0.004,
        deviation=0.0051,
        features_differ_by=0.0395,
        pictures_per_s={"float32": 160.0, "int8": 224.0},
        runs_per_s={"float32": 200.0, "int8": 360.0},
    )

    assert found.line() == (
        "79.8 % -> 80.2 %, +0.4 points (sd over seeds 0.5)  160 -> 224 pictures/s, x 1.40  graph alone x 1.80  "
        "features differ by 0.040"
    )
