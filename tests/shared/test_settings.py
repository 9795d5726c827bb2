"""Settings: one declaration is a flag, a variable and a TOML key, and a wrong value ends the start with a sentence."""

from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import CliPositionalArg

from shared.settings import FinialSettings

PROGRAM = "python -m trainer paint"


class PaintSettings(FinialSettings):
    """Paint a wall."""

    wall: CliPositionalArg[Path] = Field(description="Which wall.")
    coat_count: int = Field(1, ge=1, description="Coats.")
    colour: str = "white"


def read(*arguments: str) -> PaintSettings:
    return PaintSettings.from_command_line(arguments, program=PROGRAM)


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "finial.toml"
    file.write_text('colour = "red"\ncoat_count = 2\n[paint]\ncoat_count = 3\n')

    assert (read("w", "--config", str(file)).coat_count, read("w", "--config", str(file)).colour) == (3, "red")
    monkeypatch.setenv("FINIAL_COAT_COUNT", "4")
    monkeypatch.setenv("FINIAL_CONFIG", str(file))
    assert read("w").coat_count == 4
    assert read("w", "--coat-count", "5").coat_count == 5


def test_a_wrong_value_is_named_by_its_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read("w", "--coat-count", "0")

    message = capsys.readouterr().err
    assert stop.value.code == 2
    assert "--coat-count" in message and "greater than or equal to 1" in message and "'0'" in message


def test_a_wrong_variable_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINIAL_COAT_COUNT", "many")

    with pytest.raises(SystemExit):
        read("w")

    assert "FINIAL_COAT_COUNT" in capsys.readouterr().err


def test_a_misspelt_key_in_the_verbs_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "finial.toml"
    file.write_text("[paint]\ncoats = 3\n")

    with pytest.raises(SystemExit) as stop:
        read("w", "--config", str(file))

    assert stop.value.code == 2
    assert "'coats'" in capsys.readouterr().err


def test_a_missing_file_and_an_unknown_flag_are_usage_errors(tmp_path: Path) -> None:
    for arguments in (["w", "--config", str(tmp_path / "none.toml")], ["w", "--bogus"], []):
        with pytest.raises(SystemExit) as stop:
            read(*arguments)
        assert stop.value.code == 2
