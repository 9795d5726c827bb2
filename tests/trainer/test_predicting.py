"""trainer/predicting.py: which pictures are predicted, what is said beside them, and what the table holds."""

import csv
import json
import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shared.bundle import Bundle
from shared.files import sha256_of_file
from tests.trainer.tiny_bundle import paint, publish_tiny
from trainer.__main__ import main
from trainer.commands import predict as predict_verb
from trainer.errors.scoring import NothingToPredict
from trainer.picture_files import find_files
from trainer.predicting import PicturePrediction, predict
from trainer.progress import Quiet
from trainer.settings import PredictSettings


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return publish_tiny(tmp_path / "models")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    paint(folder / "1.png", "red")
    paint(folder / "2.png", "green")
    return folder


def run(bundle: Bundle, *paths: Path, progress: Quiet | None = None, **options: object) -> list[PicturePrediction]:
    values = {"bundle": bundle.path, "paths": list(paths), "threads": 1, "provider": "cpu"}
    return list(predict(PredictSettings.model_validate(values | options), progress or Quiet()))


def test_folders_are_looked_through_as_training_does(tmp_path: Path, bundle: Bundle, data: Path) -> None:
    """Hidden folders are not entered, linked ones are, and a picture is one whatever its name."""
    paint(data / ".thumbnails" / "1.png", "blue")
    paint(tmp_path / "elsewhere" / "3.png", "blue")
    (data / "linked").symlink_to(tmp_path / "elsewhere")
    paint(data / "no extension", "blue")
    (data / "new.heic").write_bytes(b"not decoded here")
    progress = Quiet()

    predictions = run(bundle, data, progress=progress)

    names = [Path(one.name).relative_to(data).as_posix() for one in predictions]
    assert names == ["1.png", "2.png", "linked/3.png", "new.heic", "no extension"]
    assert [Path(one.name) for one in predictions] == [file.path for file in find_files(data).pictures]
    assert any(".thumbnails (hidden)" in warning for warning in progress.warnings)


def test_a_picture_that_cannot_be_opened_is_a_problem_not_the_end(bundle: Bundle, data: Path) -> None:
    (data / "0.png").symlink_to(data / "gone.png")

    predictions = run(bundle, data)

    assert [one.label for one in predictions] == [None, "red", "green"]
    assert predictions[0].problem == "cannot be read: No such file or directory"


def test_a_picture_that_cannot_be_opened_is_in_no_split_and_named(tmp_path: Path, data: Path) -> None:
    (data / "0.png").symlink_to(data / "gone.png")
    bundle = publish_tiny(tmp_path / "models", [(sha256_of_file(data / "2.png"), "green", "test")])
    progress = Quiet()

    predictions = run(bundle, data, only="test", progress=progress)

    assert [Path(one.name).name for one in predictions] == ["2.png"]
    assert any("0.png: cannot be read" in warning for warning in progress.warnings)


def test_a_path_that_cannot_be_asked_for_is_an_error_in_words(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(NothingToPredict, match="cannot be read"):
        run(bundle, tmp_path / ("x" * 300))


def test_the_actual_label_is_what_the_bundle_was_trained_with_before_any_name(tmp_path: Path, data: Path) -> None:
    """Labels may have come from a table; a folder that is called like a label says less."""
    shutil.copy(data / "1.png", paint(data / "green" / "copy of 1.png", "green"))
    bundle = publish_tiny(tmp_path / "models", [(sha256_of_file(data / "1.png"), "blue", "test")])
    paint(data / "green" / "new.png", "green", size=33)

    actual = {Path(one.name).name: one.actual for one in run(bundle, data)}

    assert actual == {"1.png": "blue", "2.png": None, "copy of 1.png": "blue", "new.png": "green"}


def test_names_that_are_not_utf_8_are_printed_and_stored_readably(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One such name must not cost the work on a million others."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path / "odd") + b"/\xffa.png"))
    paint(odd, "red")
    readable = str(tmp_path / "odd") + "/\\xffa.png"

    (prediction,) = run(bundle, odd.parent, out=tmp_path / "p.csv")
    run(bundle, odd.parent, out=tmp_path / "p.parquet")
    predict_verb([str(bundle.path), str(odd.parent), "--json", "--threads", "1"], "predict")

    assert prediction.line.encode().startswith(readable.encode() + b"\tred")
    assert [row["file"] for row in csv.DictReader((tmp_path / "p.csv").read_text(encoding="utf-8").splitlines())] == [
        readable
    ]
    assert pq.read_table(tmp_path / "p.parquet").column("file").to_pylist() == [readable]
    assert json.loads(capsys.readouterr().out)["file"] == readable


def test_a_program_notices_that_nothing_at_all_was_predicted(
    bundle: Bundle, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "text.jpg").write_text("no picture")
    options = ["--threads", "1", "--provider", "cpu"]

    assert main(["predict", str(bundle.path), str(data), *options]) == 0
    assert main(["predict", str(bundle.path), str(data / "text.jpg"), *options]) == 3

    told = capsys.readouterr()
    assert told.out.count("(not predicted)") == 2
    assert "nothing was predicted: the one picture could not be used" in told.err


def test_a_printed_line_is_one_line_and_cannot_steer_the_terminal() -> None:
    """Whoever names a picture does not write a second answer below it; JSON and tables have the name itself."""
    named = PicturePrediction("a\n\x1b[2Jb.png", "red", 0.5, None, None)
    torn = PicturePrediction("c\td.png", None, None, None, "cannot be read: \x07")

    assert named.line == "a\\n\\x1b[2Jb.png\tred\t0.5000"
    assert torn.line == "c\\td.png\t(not predicted)\tcannot be read: \\x07"
    assert named.as_json()["file"] == "a\n\x1b[2Jb.png"


def test_an_interrupted_run_goes_on_and_predicts_changed_and_failed_pictures_again(
    tmp_path: Path, bundle: Bundle, data: Path
) -> None:
    torn = paint(data / "0.png", "blue")
    whole = torn.read_bytes()
    torn.write_bytes(whole[:20])
    paint(data / "3.png", "green")
    values = {"bundle": bundle.path, "paths": [data], "threads": 1, "provider": "cpu", "out": tmp_path / "p.csv"}
    interrupted = predict(PredictSettings.model_validate(values), Quiet())
    assert [next(interrupted).label for _ in range(3)] == [None, "red", "green"]
    interrupted.close()  # type: ignore[attr-defined]  # a generator: as if the run were stopped here
    torn.write_bytes(whole)
    paint(data / "2.png", "blue")
    progress = Quiet()

    again = run(bundle, data, out=tmp_path / "p.csv", progress=progress)

    assert [(Path(one.name).name, one.label) for one in again] == [
        ("0.png", "blue"),
        ("2.png", "blue"),
        ("3.png", "green"),
    ]
    assert any("going on after 1 prediction " in said for said in progress.said)
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["label"] for row in rows] == ["blue", "red", "blue", "green"]


@pytest.mark.parametrize(("novelty", "unfamiliar"), [(0.25, False), (0.995, True)])
def test_every_answer_tells_how_unlike_the_training_pictures_it_is(
    tmp_path: Path,
    data: Path,
    novelty: float,
    unfamiliar: bool,  # noqa: FBT001
) -> None:
    """A confident label for something that the model has never seen is the mistake nobody notices."""
    bundle = publish_tiny(tmp_path / "telling", novelty=novelty)

    first, _ = run(bundle, data)
    run(bundle, data, out=tmp_path / "table.csv")
    run(bundle, data, out=tmp_path / "table.parquet")

    assert first.novelty == pytest.approx(novelty)
    assert first.unfamiliar == unfamiliar
    assert ("unfamiliar" in first.line) == unfamiliar
    with (tmp_path / "table.csv").open(newline="") as table:
        assert [row["unfamiliar"] for row in csv.DictReader(table)] == [str(unfamiliar)] * 2
    assert pq.read_table(tmp_path / "table.parquet").column("unfamiliar").to_pylist() == [unfamiliar] * 2
    assert pq.read_table(tmp_path / "table.parquet").column("novelty").to_pylist() == pytest.approx([novelty] * 2)


def test_a_model_without_novelty_tells_none(bundle: Bundle, data: Path) -> None:
    assert [(one.novelty, one.unfamiliar) for one in run(bundle, data)] == [(None, None)] * 2
    assert "unfamiliar" not in run(bundle, data)[0].line
