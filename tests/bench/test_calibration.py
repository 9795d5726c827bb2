"""What `bench.calibration` measures is the trainer's own, and it says where the aim is missed."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.calibration import calibration_of, line_of
from bench.rows import name_of
from tests.trainer.blobs import make_blobs
from trainer.calibration import Calibration
from trainer.samples import Sample
from trainer.training import Training, measure

FOUND = Calibration(n=40, temperature=1.05, before=0.051, after=0.042, perfect=0.035, perfect_95=0.06, bins=())


def make_training() -> Training:
    features, targets, groups = make_blobs(60, features=6, classes=2)
    samples = tuple(
        Sample(f"{row}.png", f"{row}.png", "ab"[target], str(row), None) for row, target in enumerate(targets)
    )
    return Training(samples, ("a", "b"), features, targets, tuple(groups), ("train",) * 60)


def test_pictures_that_the_data_holds_out_are_measured_too() -> None:
    rows = make_training()
    held_out = replace(rows, splits=("train",) * 40 + ("test",) * 20)

    found = calibration_of(held_out, threads=1)

    assert found is not None and found.n == 60
    assert found == measure(rows, seed=0, threads=1).calibration


def test_without_folds_there_is_nothing_to_say() -> None:
    rows = make_training()
    one_group_a_label = replace(rows, groups=tuple("ab"[target] for target in rows.targets))

    assert calibration_of(one_group_a_label, threads=1) is None
    assert "too few groups" in line_of(None, 2)


@pytest.mark.parametrize(
    ("after", "perfect", "told"),
    [(0.03, 0.001, "met"), (0.044, 0.035, "met"), (0.046, 0.035, "MISSED"), (0.031, 0.02, "MISSED")],
)
def test_the_aim_is_a_small_error_or_one_near_that_of_a_perfect_model(after: float, perfect: float, told: str) -> None:
    assert line_of(replace(FOUND, after=after, perfect=perfect), 2).endswith(told)


def test_a_line_has_the_errors_in_percent() -> None:
    assert line_of(FOUND, 5) == ("n    40  K   5  temperature 1.05  before 5.1%  after 4.2%  perfect 3.5%, 6.0%  met")


def test_a_table_of_labels_is_named_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    table = tmp_path / "sets" / "tags.tsv"
    table.touch()

    assert name_of(table) == "sets/tags.tsv"
    assert name_of(table.parent) == "sets"
