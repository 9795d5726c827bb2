"""What follows featurising finds the same on rows in memory and on disk."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.trainer import road_on_disk
from tests.trainer.blobs import make_blobs
from trainer import rows_on_disk, some_pictures, streamed_regression
from trainer.cross_validation import cross_validate
from trainer.final_fit import final_fit
from trainer.fitting import FitOptions, fit_head
from trainer.int8_comparison import compare_int8
from trainer.learned_novelty import learn_novelty
from trainer.max_softmax import max_softmax_auroc
from trainer.neighbours import nearest_of_other_groups
from trainer.novelty import fit_novelty
from trainer.outliers import find_outliers
from trainer.recipe import Recipe, RowsToFit, rows_to_fit
from trainer.recipe_search import plan_of
from trainer.rows import Rows, each, gather, take
from trainer.rows_on_disk import RowFile
from trainer.samples import Sample
from trainer.some_pictures import some_of
from trainer.training import Measured, Training, measure

CLASSES, SIZE, COUNT = 3, 16, 900
LABELS = ("a", "b", "c")
FEW, MANY = 2_000, 26_000
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of them, and a sample that is not all rows."""
    monkeypatch.setattr(rows_on_disk, "_BLOCK_BYTES", 50 * SIZE * 4)
    monkeypatch.setattr(streamed_regression, "_SAMPLED", 300)


def on_disk(folder: Path, values: Rows) -> Rows:
    values = gather(values, np.arange(len(values)))
    file = RowFile(folder, *values.shape)
    file.write(np.arange(len(values)), values)
    return file.rows()


@pytest.fixture
def in_memory() -> Training:
    """Labels of unequally many pictures, some of them in pairs."""
    features, targets, groups = make_blobs(COUNT, features=SIZE, classes=CLASSES, distance=0.7)
    targets[::7] = 0
    groups = [f"group {int(group[6:]) // 2 * 2:05d}" if row % 3 == 0 else group for row, group in enumerate(groups)]
    samples = tuple(
        Sample(f"{row}.png", f"{row}.png", LABELS[target], f"{row:064}", None) for row, target in enumerate(targets)
    )
    splits = ("train", "train", "train", "validation", "test") * (COUNT // 5)
    return Training(samples, LABELS, features, targets, tuple(groups), splits)


@pytest.fixture
def both(in_memory: Training, tmp_path: Path) -> tuple[Training, Training]:
    return in_memory, replace(in_memory, features=on_disk(tmp_path, in_memory.features))


def rows_by(features: Mapping[Recipe, Rows]) -> Callable[[Recipe], RowsToFit]:
    return lambda recipe: rows_to_fit(features[recipe])


def measured(training: Training) -> Measured:
    return measure(training, seed=0, threads=1)


def test_a_head_of_the_same_strength_gives_the_same_answers(both: tuple[Training, Training]) -> None:
    """Within the solver's tolerance."""
    rows, like = both[0].rows("train", "validation"), measured(both[0]).fit

    theirs, ours = (one.fit(rows, seed=0, threads=1, like=like).probabilities(one.features) for one in both)

    assert np.abs(ours - theirs).max() < 2e-3
    assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.997


def test_the_held_out_numbers_are_as_good(both: tuple[Training, Training]) -> None:
    """The strength may be the next one of the path: one fold chose it."""
    ours, theirs = (measured(one) for one in reversed(both))
    assert ours.test and theirs.test and ours.cross_validated and theirs.cross_validated

    assert ours.test.accuracy == pytest.approx(theirs.test.accuracy, abs=0.03)  # five of 180
    assert ours.test.log_loss == pytest.approx(theirs.test.log_loss, abs=0.02)
    assert ours.cross_validated.accuracy == pytest.approx(theirs.cross_validated.accuracy, abs=0.02)
    assert ours.fit.temperature == pytest.approx(theirs.fit.temperature, rel=0.2)
    assert ours.calibration and ours.calibration.n == len(both[0].rows("train", "validation"))


def test_what_balance_would_gain_is_measured(both: tuple[Training, Training]) -> None:
    ours, theirs = (measured(one).balance for one in reversed(both))
    assert ours and theirs

    assert ours.labels.macro_accuracy == pytest.approx(theirs.labels.macro_accuracy, abs=0.015)
    assert ours.labels.accuracy != ours.pictures.accuracy


def test_the_final_head_learns_from_all_splits(both: tuple[Training, Training]) -> None:
    ours = measured(both[1])

    final = final_fit(both[1], ours, "all", seed=0, threads=1)
    everything = both[0].fit(np.arange(COUNT), seed=0, threads=1, like=ours.fit)

    assert final.l2 == ours.fit.l2
    assert final.head.weight == pytest.approx(everything.head.weight, abs=2e-3)


def test_nested_folds_hold_out_the_same(both: tuple[Training, Training]) -> None:
    ours, theirs = (
        cross_validate(plan_of(one.features), one.targets, one.groups, LABELS, folds=3, seeds=(0,), threads=1)
        for one in reversed(both)
    )

    assert ours.accuracy.mean == pytest.approx(theirs.accuracy.mean, abs=0.015)


def test_two_precisions_are_compared(both: tuple[Training, Training], tmp_path: Path) -> None:
    """Of two files: that of the first features also has rows of pictures that were left out since."""
    rounded = each(both[0].features, lambda rows: np.round(rows, 1))
    longer = np.insert(both[0].values, [100, 400], 7, axis=0)
    gaps = take(on_disk(tmp_path, longer), np.delete(np.arange(COUNT + 2), [100, 401]))
    assert np.array_equal(gather(gaps, np.arange(COUNT)), both[0].values)
    found = []
    for training, coarse in zip(
        (both[0], replace(both[1], features=gaps)), (rounded, on_disk(tmp_path, rounded)), strict=True
    ):
        fine = measured(training)
        recipe = fine.searched.recipe
        in_int8 = replace(recipe, features=replace(recipe.features, precision="int8"))
        plan = replace(plan_of(training.features), rows_of=rows_by({recipe: training.features, in_int8: coarse}))
        found.append(compare_int8(training, plan, fine, replace(fine, searched=replace(fine.searched, recipe=in_int8))))

    assert found[0] and found[1]
    assert found[1].features_differ_by == pytest.approx(found[0].features_differ_by, rel=1e-6)


def test_novelty_is_the_same(both: tuple[Training, Training]) -> None:
    theirs, ours = (fit_novelty(one.features, one.targets, one.groups, seed=0) for one in both)
    assert ours.novelty and theirs.novelty

    assert ours.distances == pytest.approx(theirs.distances, rel=1e-4)
    values = both[0].values
    assert ours.novelty.of(values) == pytest.approx(theirs.novelty.of(values), abs=1e-3)


def test_what_novelty_is_worth_is_the_same(both: tuple[Training, Training]) -> None:
    rows = both[0].rows("train", "validation")
    theirs, ours = (learn_novelty(one, rows, unfamiliar=0.99, seed=0) for one in both)
    assert ours.report and theirs.report and ours.report.auroc and theirs.report.auroc

    assert ours.report.auroc == pytest.approx(theirs.report.auroc, abs=1e-3)
    fold_of = theirs.fit.folds
    aurocs = [
        max_softmax_auroc(take(one.features, rows), one.targets[rows], fold_of, class_count=CLASSES, l2=0.1, threads=1)
        for one in both
    ]
    assert aurocs[0] == pytest.approx(aurocs[1], abs=1e-6)


def test_outliers_are_the_same(in_memory: Training, tmp_path: Path) -> None:
    values = in_memory.values.copy()
    values[[100, 500]] = np.random.default_rng(1).normal(0, 50, (2, SIZE))

    theirs, ours = (find_outliers(one, in_memory.groups) for one in (values, on_disk(tmp_path, values)))

    assert [one.row for one in ours] == [one.row for one in theirs]
    assert {100, 500} <= {one.row for one in ours}


def test_neighbours_are_the_same(both: tuple[Training, Training]) -> None:
    asked = {"of": np.array([5, 301]), "among": np.arange(0, COUNT, 2), "count": 3}

    theirs, ours = (
        nearest_of_other_groups(each(one.features, np.sqrt), one.groups, **asked)  # type: ignore[arg-type]
        for one in both
    )

    assert [[row for row, _ in near] for near in ours] == [[row for row, _ in near] for near in theirs]


def test_some_pictures_of_every_label_stand_for_all(
    both: tuple[Training, Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(some_pictures, "MOST_NUMBERS", 200 * SIZE)
    _, training = both
    among = training.rows("train", "validation")

    some = some_of(training, among, seed=0)

    assert 180 < len(some) < 240
    assert set(some.tolist()) <= set(among.tolist()) and (np.diff(some) > 0).all()
    share = np.bincount(training.targets[some]) / np.bincount(training.targets[among])
    assert share == pytest.approx(len(some) / len(among), abs=0.06)
    left = set(among.tolist()) - set(some.tolist())
    assert not {training.groups[row] for row in some.tolist()} & {training.groups[row] for row in left}


def test_few_pictures_are_all_taken(both: tuple[Training, Training]) -> None:
    assert np.array_equal(some_of(both[1], np.arange(100), seed=0), np.arange(100))


def test_another_head_on_disk_is_refused(both: tuple[Training, Training]) -> None:
    training = both[1]

    with pytest.raises(ValueError, match="expected a probe"):
        fit_head("mlp", training.feature_rows, training.targets, training.groups, FitOptions(CLASSES, 0, 1))


NOTHING_KEPT = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_features(tmp_path: Path) -> None:
    """In one process, few rows first, so that what libraries take is no difference: that varies by some 20 MB.

    24,000 more rows of 1,280 numbers are 123 MB, of which blocks and samples see some. What glibc would keep of memory
    that was given back, up to 55 MB and less in the next run, is none of the trainer's: it keeps hardly any here.
    """
    command = [sys.executable, "-m", "tests.trainer.road_on_disk", str(tmp_path), str(FEW), str(MANY)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | NOTHING_KEPT
    )
    few, many = map(float, done.stdout.split())

    assert many - few < 3 / 8 * (MANY - FEW) * road_on_disk.SIZE * 4 / 1e6
