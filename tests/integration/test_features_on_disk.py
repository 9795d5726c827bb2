"""A training whose features exceed what memory may hold: from pictures to a bundle, through the command line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.bundle import Bundle, read_bundle
from shared.publish import resolve
from tests.integration.pictures_on_disk import write_folder
from tests.integration.test_road import content_of, settings_for
from trainer.__main__ import main
from trainer.pipeline import TrainResult, train
from trainer.progress import Quiet
from trainer.split_file import read_held_out_predictions

PER_CLASS = 40
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("on-disk")


@pytest.fixture(scope="module")
def pictures(work: Path) -> Path:
    """Among them a picture that is there three times, and one that cannot be read."""
    folder = write_folder(work / "pictures", per_class=PER_CLASS)
    for copy in ("x.png", "y.png"):
        shutil.copy(folder / "dots" / "003.png", folder / "dots" / copy)
    (folder / "stripes" / "torn.png").write_bytes((folder / "stripes" / "000.png").read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def in_memory(work: Path, pictures: Path) -> TrainResult:
    return train(settings_for(pictures, work, name="memory", head="probe", views=0), Quiet())


@pytest.fixture(scope="module")
def told(work: Path, pictures: Path, in_memory: TrainResult) -> dict[str, Any]:
    """What `python -m trainer train --json` prints; features are in the cache, where RAM holds a kilobyte of them."""
    folders = ["--models-dir", str(work / "models"), "--cache-dir", str(work / "cache")]
    limits = ["--feature-memory", "1kB", "--backbone", "nano", "--threads", "2", "--name", "disk", "--folds", "3"]
    command = [sys.executable, "-m", "trainer", "train", str(pictures), *folders, *limits, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Features stay on disk: 83 x " in done.stderr
    return {"printed": json.loads(done.stdout), "featurized": in_memory.featurized}


@pytest.fixture(scope="module")
def on_disk(work: Path, told: dict[str, Any]) -> Bundle:
    return read_bundle(resolve(work / "models" / "disk"))


def metrics_of(bundle: Bundle) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle.path / "metrics.json").read_text())
    return found


def test_nothing_is_featurised_again_for_it(told: dict[str, Any]) -> None:
    assert told["printed"]["featurized"] == 0
    assert told["printed"]["from_cache"] == told["featurized"] == 2 * PER_CLASS


def test_the_model_is_as_good_as_with_features_in_memory(in_memory: TrainResult, on_disk: Bundle) -> None:
    """On so few pictures a fold may choose another strength than all of them; heads of one strength agree closely,
    see tests/trainer/test_training_on_disk.py."""
    theirs, ours = read_held_out_predictions(in_memory.bundle.path), read_held_out_predictions(on_disk.path)

    assert ours.keys() == theirs.keys() and len(ours) > 5
    assert sum(ours[digest] == theirs[digest] for digest in ours) >= len(ours) - 1
    for split in ("test", "cross_validated"):
        mine, other = metrics_of(on_disk)[split], metrics_of(in_memory.bundle)[split]
        assert mine["n"] == other["n"]
        assert mine["accuracy"] == pytest.approx(other["accuracy"], abs=0.08)


def test_the_bundle_has_all_that_others_have(in_memory: TrainResult, on_disk: Bundle) -> None:
    ours, theirs = metrics_of(on_disk), metrics_of(in_memory.bundle)

    assert {name for name, value in ours.items() if value is None} == {
        name for name, value in theirs.items() if value is None
    } - {"folds"}
    assert ours["folds"]["accuracy"] > 0.6
    assert {path.name for path in on_disk.path.iterdir()} == {path.name for path in in_memory.bundle.path.iterdir()}
    assert "Would more pictures help?" in (on_disk.path / "report.html").read_text()


def test_it_says_that_one_fold_chose_and_where_features_lay(on_disk: Bundle) -> None:
    assert "one fold of 5" in metrics_of(on_disk)["head"]["note"]
    settings = on_disk.metadata.settings
    assert (settings["features_in"], settings["head"], settings["views"]) == ("disk", "probe", 0)
    assert "feature_memory" not in settings


def test_no_file_of_features_is_left_beside_the_cache(work: Path, on_disk: Bundle) -> None:
    assert not [path for path in (work / "cache").iterdir() if path.is_file() and path.stat().st_size > 10_000]


def test_it_is_repeated_byte_by_byte_without_naming_a_limit(work: Path, pictures: Path, on_disk: Bundle) -> None:
    folders = ["--models-dir", str(work / "again"), "--cache-dir", str(work / "cache")]

    assert main(["train", str(pictures), "--from", str(on_disk.path), *folders]) == 0

    assert content_of(resolve(work / "again" / "disk")) == content_of(on_disk.path)


def test_int8_features_lie_on_disk_too(work: Path, pictures: Path) -> None:
    said = Quiet()

    result = train(settings_for(pictures, work, name="int8", features_in="disk", precision="int8"), said)

    comparison = metrics_of(result.bundle)["int8"]
    assert result.bundle.metadata.precision == "int8"
    assert comparison["n"] > 50 and 0 < comparison["features_differ_by"] < 0.5


def test_what_needs_memory_is_refused_before_any_picture_is_featurised(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--models-dir", str(tmp_path / "models"), "--cache-dir", str(tmp_path / "cache")]
    options = ["--feature-memory", "1kB", "--head", "mlp", "--backbone", "nano"]

    assert main(["train", str(pictures), *folders, *options]) == 2

    assert "--head mlp cannot be done" in capsys.readouterr().err
    assert not list((tmp_path / "cache").rglob("part-*.parquet"))
