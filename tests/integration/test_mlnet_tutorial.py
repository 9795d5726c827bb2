"""The ML.NET tutorials' own pictures, with real ImageNet weights: what their readers will try first."""

import json
from pathlib import Path

import pytest

from trainer.__main__ import main

WEIGHTS = "weights/mobilenet_v2_qnnpack_dequantized-32413124.pth"


@pytest.fixture(scope="module")
def tutorial(shared_data: Path) -> Path:
    return shared_data / "datasets" / "mlnet-transferlearning-tf"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shared_data: Path, tutorial: Path) -> Path:
    work = tmp_path_factory.mktemp("tutorial")
    command = ["train", str(tutorial), "--labels", str(tutorial / "tags.tsv"), "--name", "tutorial"]
    command += ["--weights", str(shared_data / WEIGHTS), "--split", "1,0,0"]
    assert main([*command, "--models-dir", str(work / "models"), "--cache-dir", str(work / "cache")]) == 0
    return work


def test_trained_on_eight_pictures_all_test_pictures_are_right(
    trained: Path, tutorial: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tutorial prints a log loss of 0.065 on these three; `test-tags.tsv` has trailing blanks and tabs."""
    command = ["evaluate", str(trained / "models" / "tutorial"), str(tutorial), "--labels"]
    main([*command, str(tutorial / "test-tags.tsv"), "--cache-dir", str(trained / "cache"), "--json"])

    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["n"], numbers["accuracy"]) == (3, 1.0)
    assert numbers["log_loss"] < 0.065


def test_the_toaster_that_is_in_no_table_is_an_appliance(
    trained: Path, tutorial: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["predict", str(trained / "models" / "tutorial"), str(tutorial / "toaster3.jpg")])

    assert capsys.readouterr().out.split("\t")[1] == "appliance"


def test_a_row_whose_file_is_missing_is_named_and_not_fatal(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shared_data / "datasets" / "mlnet-image-tags"
    command = ["train", str(data), "--name", "tags", "--backbone", "nano", "--split", "1,0,0"]

    code = main([*command, "--models-dir", str(tmp_path / "models"), "--cache-dir", str(tmp_path / "cache"), "--json"])

    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "coffeepot4.jpg" in printed.err
    assert json.loads(printed.out)["featurized"] == 19
