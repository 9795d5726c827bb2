"""`train --not-worse` walked with real trainings: labels go wrong, a rollback, other splits."""

import csv
import json
from pathlib import Path

import pytest

from shared.files import sha256_of
from shared.publish import list_versions, read_current, rollback
from tests.integration.pictures_on_disk import LABELS, write_folder
from tests.integration.test_road import settings_for
from trainer.__main__ import main
from trainer.errors import GateFailed
from trainer.errors.gates import AccuracyTooLow, WorseThanCurrent
from trainer.gates import GATES
from trainer.pipeline import TrainResult, train
from trainer.progress import Quiet
from trainer.split_file import read_held_out_predictions, read_split_file

pytestmark = pytest.mark.slow

SPLIT = (0.4, 0.1, 0.5)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("not-worse")


@pytest.fixture(scope="module")
def pictures(work: Path) -> Path:
    return write_folder(work / "pictures")


@pytest.fixture(scope="module")
def trained(work: Path, pictures: Path) -> TrainResult:
    return train(settings_for(pictures, work, split=SPLIT, not_worse=True), Quiet())


@pytest.fixture(scope="module")
def mixed_up(work: Path, pictures: Path, trained: TrainResult) -> Path:
    """A table of the same pictures, in which the labels of what is learned from were swapped."""
    splits = read_split_file(trained.bundle.path)
    table = work / "mixed-up.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        for picture in sorted(pictures.rglob("*.png")):
            split, label = splits[sha256_of(picture.read_bytes())], picture.parent.name
            writer.writerow([picture, label if split == "test" else LABELS[1 - LABELS.index(label)]])
    return table


def test_the_first_version_passes_and_keeps_what_its_test_pictures_were_taken_for(trained: TrainResult) -> None:
    """The published head saw every picture; only the measured one's answers can be compared with later."""
    splits, predicted = read_split_file(trained.bundle.path), read_held_out_predictions(trained.bundle.path)

    assert predicted.keys() == {digest for digest, split in splits.items() if split == "test"}
    assert json.loads((trained.bundle.path / "run.json").read_text())["not_worse"] is None
    assert not trained.bundle.metadata.settings.keys() & GATES  # how it was published, not how it was made


def test_the_same_pictures_again_are_no_worse(work: Path, pictures: Path, trained: TrainResult) -> None:
    again = train(settings_for(pictures, work, split=SPLIT, not_worse=True), Quiet())

    assert again.unchanged and again.bundle.version == trained.bundle.version


def test_a_worse_model_is_not_published(
    work: Path, mixed_up: Path, trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody swapped the labels of what is learned from; the test pictures show it, and the numbers are told."""
    assert main(_command(mixed_up, work / "models", work)) == 4

    error = capsys.readouterr().err
    assert f"current version {trained.bundle.version}" in error and "only before" in error
    assert list_versions(work / "models" / "shapes") == [trained.bundle.version]


@pytest.mark.parametrize(("gate", "refused"), [("not_worse", WorseThanCurrent), ("min_accuracy", AccuracyTooLow)])
def test_a_run_that_is_refused_does_not_fit_nested_folds_first(
    work: Path, mixed_up: Path, trained: TrainResult, gate: str, refused: type[GateFailed]
) -> None:
    """They are most of the work, and no gate asks them."""
    progress = Quiet()

    with pytest.raises(refused):
        train(settings_for(mixed_up, work, split=SPLIT, folds=2, **{gate: True}), progress)

    phases = [name for name, _ in progress.phases]
    assert "try recipes" in phases and "cross-validate" not in phases


def test_what_is_compared_with_is_current_also_after_a_rollback(
    tmp_path: Path, work: Path, pictures: Path, mixed_up: Path, trained: TrainResult
) -> None:
    """Published without the gate, the bad model is easily bettered; once rolled back, it is what others are held to."""
    options = {"split": SPLIT, "models_dir": tmp_path}
    good = train(settings_for(pictures, work, **options), Quiet())
    bad = train(settings_for(mixed_up, work, **options), Quiet())

    better = train(settings_for(pictures, work, not_worse=True, **options), Quiet())
    rollback(tmp_path, "shapes", good.bundle.version)
    told = json.loads((better.bundle.path / "run.json").read_text())["not_worse"]

    assert (told["version"], told["n"]) == (bad.bundle.version, trained.metrics["n"])
    assert told["gained"] > told["lost"]
    assert main(_command(mixed_up, tmp_path, work)) == 4
    assert read_current(tmp_path / "shapes") == good.bundle.version


def _command(data: Path, models: Path, work: Path) -> list[str]:
    folders = ["--models-dir", str(models), "--cache-dir", str(work / "cache")]
    split = "0.4,0.1,0.5"
    return ["train", str(data), "--not-worse", "--name", "shapes", "--backbone", "nano", "--split", split, *folders]


def test_without_a_test_split_the_folds_answer(tmp_path: Path, work: Path, pictures: Path) -> None:
    """As with --min-accuracy: held-out predictions of every picture, by heads that had not seen it."""
    options = {"split": (1, 0, 0), "models_dir": tmp_path}
    first = train(settings_for(pictures, work, **options), Quiet())
    second = train(settings_for(pictures, work, head="prototype", not_worse=True, **options), Quiet())

    assert len(read_held_out_predictions(first.bundle.path)) == 30
    assert json.loads((second.bundle.path / "run.json").read_text())["not_worse"]["n"] == 30
