"""trainer/pipeline.py before any picture is decoded; the whole road is walked in tests/integration/test_road.py."""

from pathlib import Path

import pytest

from tests.trainer.tiny_bundle import paint, publish_tiny
from trainer.errors.audit import ClassTooSmall, TooManyUnusable
from trainer.errors.gates import CurrentUnreadable
from trainer.errors.training import ReplayWeightsMissing
from trainer.pipeline import train
from trainer.progress import Quiet
from trainer.settings import TrainSettings


def settings(tmp_path: Path, max_bad: float) -> TrainSettings:
    """Three reds, three greens, and two blues that cannot be opened."""
    for number in range(3):
        for colour in ("red", "green"):
            paint(tmp_path / "data" / colour / f"{number}.png", colour, size=20 + number)
    for number in range(2):
        link = tmp_path / "data" / "blue" / f"{number}.png"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(tmp_path / "gone.png")
    values = {"data": tmp_path / "data", "models_dir": tmp_path / "models", "cache_dir": tmp_path / "cache"}
    return TrainSettings.model_validate(values | {"max_bad": max_bad, "backbone": "nano", "threads": 1})


def test_pictures_that_cannot_be_opened_count_against_the_limit(tmp_path: Path) -> None:
    with pytest.raises(TooManyUnusable, match=r"2 of 8 pictures .*blue/0\.png: cannot be read"):
        train(settings(tmp_path, 0.2), Quiet())


def test_a_class_of_which_no_picture_can_be_opened_is_named(tmp_path: Path) -> None:
    progress = Quiet()

    with pytest.raises(ClassTooSmall, match="'blue' has 0"):
        train(settings(tmp_path, 0.5), progress)

    assert any("unreadable" in warning and "blue/1.png" in warning for warning in progress.warnings)


def test_a_gate_that_cannot_be_passed_is_told_before_any_picture_is_read(tmp_path: Path) -> None:
    """The folder of pictures is not even there; a current version that is lost is known without it."""
    lost = tmp_path / "models" / "data" / "current"
    lost.parent.mkdir(parents=True)
    lost.write_text("20260101T000000000Z-deadbeef\n")
    values = {"data": tmp_path / "data", "models_dir": tmp_path / "models", "cache_dir": tmp_path / "cache"}

    with pytest.raises(CurrentUnreadable, match="deadbeef: no bundle here"):
        train(TrainSettings.model_validate(values | {"not_worse": True}), Quiet())


def test_a_run_is_not_repeated_with_other_weights(tmp_path: Path) -> None:
    """The numbers would differ, and nobody would know why."""
    bundle = publish_tiny(tmp_path / "models", backbone="nano")
    for colour in ("red", "green"):
        for number in range(3):
            paint(tmp_path / "data" / colour / f"{number}.png", colour, size=20 + number)
    values = {"data": tmp_path / "data", "models_dir": tmp_path / "models", "cache_dir": tmp_path / "cache"}

    with pytest.raises(ReplayWeightsMissing, match="0" * 64):
        train(TrainSettings.model_validate(values | {"from": bundle.path, "threads": 1}), Quiet())
