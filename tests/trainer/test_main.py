"""The command line: verbs are found, errors become exit codes, and asking for help loads nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.interrupts import InterruptsImport
from trainer.__main__ import VERBS, main


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    printed = capsys.readouterr().out
    assert all(verb in printed for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])

    assert stop.value.code == 0
    assert f"python -m trainer {verb}" in capsys.readouterr().out


def test_an_unknown_verb_is_a_usage_error_that_lists_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian", "x"]) == 2

    assert "train" in capsys.readouterr().err


def test_bad_data_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cat").mkdir()

    assert main(["train", str(tmp_path), "--cache-dir", str(tmp_path / "cache")]) == 3

    assert str(tmp_path) in capsys.readouterr().err


def test_what_is_wrong_with_a_file_is_said_without_letting_its_name_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a\x1b[2Jb"
    (folder / "cat").mkdir(parents=True)

    main(["train", str(folder), "--cache-dir", str(tmp_path / "cache")])

    told = capsys.readouterr().err
    assert "a\\x1b[2Jb" in told
    assert "\x1b[2J" not in told


def test_rolling_back_a_model_that_is_not_there_names_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flowers").mkdir()
    (tmp_path / "flowers" / "current").write_text("20260101T000000000Z-00000000\n")

    assert main(["rollback", "flwers", "--models-dir", str(tmp_path)]) == 2

    assert "flowers" in capsys.readouterr().err
    assert main(["rollback", "flowers", "2020", "--models-dir", str(tmp_path)]) == 2


def test_predicting_with_a_model_that_is_not_there_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1.png").write_bytes(b"")

    assert main(["predict", str(tmp_path / "models" / "nope"), str(tmp_path / "1.png")]) == 2

    assert "nope: no bundle here" in capsys.readouterr().err


def test_a_path_that_cannot_be_written_is_a_usage_error_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in the command, not a fault of the program: no traceback."""
    (tmp_path / "f1").write_text("a file")

    assert main(["sample", str(tmp_path / "f1"), "--per-class", "1"]) == 2

    message = capsys.readouterr().err
    assert f"{tmp_path / 'f1'}" in message
    assert "Traceback" not in message
    assert len(message.splitlines()) == 1


def test_a_folder_that_would_lie_inside_a_file_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "f1").write_text("a file")

    assert main(["sample", str(tmp_path / "f1" / "x"), "--per-class", "1"]) == 2

    message = capsys.readouterr().err
    assert f"{tmp_path / 'f1'}" in message
    assert "Not a directory" in message


@pytest.mark.parametrize("module", ["trainer.commands", "trainer.settings", "trainer.sample_pictures"])
def test_an_interrupt_ends_with_130_however_early_it_comes(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the first second comes while modules are imported; that deserves no traceback either."""
    for name in ("trainer.commands", module):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [InterruptsImport(module), *sys.meta_path])

    assert main(["sample", str(tmp_path)]) == 130

    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["rollback", "x"], ["backbones", "list"]])
def test_light_verbs_do_not_load_torch(arguments: list[str], tmp_path: Path) -> None:
    """`--help` must answer at once."""
    program = (
        "import sys; from trainer.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules, 'onnxruntime' in sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)

    assert ran.stderr.splitlines()[-1] == "False False"


def test_a_name_that_no_model_may_have_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Not with a regular expression; the path of a model's folder is what its errors show."""
    with pytest.raises(SystemExit) as stop:
        main(["rollback", "models/flowers"])

    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert "such as my-flowers" in told and "without a folder before, found 'models/flowers'" in told
    assert "pattern" not in told
