"""Settings: one declaration is a flag, a variable and a TOML key, and a wrong value ends the start with a sentence."""

from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import CliPositionalArg

from shared.config_file import TABLES
from shared.settings import FinialSettings

PROGRAM = "python -m trainer paint"


class LadderSettings(FinialSettings):
    """Another verb of the same program."""

    rung_count: int = 12


class PaintSettings(FinialSettings):
    """Paint a wall."""

    wall: CliPositionalArg[Path] = Field(description="Which wall.")
    coat_count: int = Field(1, ge=1, description="Coats.")
    colour: str = "white"
    json_: bool = Field(False, alias="json")
    stop_at: CliPositionalArg[str | None] = Field(None, description="Where to stop.")


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
    assert "--coat-count" in message and "expected at least 1" in message and "'0'" in message


def test_a_wrong_variable_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINIAL_COAT_COUNT", "many")

    with pytest.raises(SystemExit):
        read("w")

    assert "FINIAL_COAT_COUNT" in capsys.readouterr().err


def test_a_missing_file_and_an_unknown_flag_are_usage_errors(tmp_path: Path) -> None:
    for arguments in (["w", "--config", str(tmp_path / "none.toml")], ["w", "--bogus"], []):
        with pytest.raises(SystemExit) as stop:
            read(*arguments)
        assert stop.value.code == 2


# --- the TOML file ---


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "finial.toml"
    monkeypatch.setenv("FINIAL_CONFIG", str(file))
    return file


@pytest.mark.parametrize(
    "content",
    ["[paint]\njson = true\ncoat_count = 3", "[paint]\njson = true\ncoat-count = 3", "json = true\ncoat-count = 3"],
)
def test_a_key_is_the_name_of_a_flag_with_either_dash(content: str, file: Path) -> None:
    """Every option is a TOML key: also one whose Python name differs from its flag."""
    file.write_text(content)

    assert (read("w").json_, read("w").coat_count) == (True, 3)


def test_an_empty_variable_counts_as_not_set(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass variables on empty; that must not drop what the file says."""
    file.write_text("coat_count = 5")
    monkeypatch.setenv("FINIAL_COAT_COUNT", "")

    assert read("w").coat_count == 5


def test_variables_of_any_case_beat_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("coat_count = 5")
    monkeypatch.setenv("finial_coat_count", "6")

    assert read("w").coat_count == 6


def test_a_file_written_by_an_editor_that_begins_with_a_mark_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfcoat_count = 5")

    assert read("w").coat_count == 5


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"[paint]\ncoats = 3", ["[paint] has no option 'coats'", "coat_count, colour, json"]),
        (b"[paint]\njson_ = true", ["no option 'json_'", "did you mean 'json'"]),
        (b"[paint]\nwall = 'x'", ["no option 'wall'"]),
        (b"[paint]\nstop-at = 'x'", ["no option 'stop_at'"]),
        (b"[paint]\nconfig = 'other.toml'", ["no option 'config'"]),
        (b"[paint]\ncoat-count = 1\ncoat_count = 2", ["[paint] sets an option twice"]),
        (b"[piant]\ncoat_count = 3", ["unknown table [piant]", "did you mean 'paint'"]),
        (b"[trian]\nseed = 3", ["unknown table [trian]", "did you mean 'train'"]),
        (b"paint = 3", ["paint = 3", "expected a table [paint]"]),
        (b"train = 3", ["train = 3", "expected a table [train]"]),
        (b"coat_count = ", ["is not TOML"]),
        ("colour = 'caf\u00e9'".encode("latin-1"), ["byte 0xe9 at 13 is not UTF-8"]),
        (b"coat_count = 0", ["--coat-count (set in the TOML file)", "expected at least 1"]),
    ],
)
def test_a_file_that_says_what_no_option_is_ends_the_start_with_a_sentence(
    content: bytes, named: list[str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(content)

    with pytest.raises(SystemExit) as stop:
        read("w")

    message = capsys.readouterr().err
    assert stop.value.code == 2
    assert [part for part in named if part not in message] == []
    assert message.startswith(f"{PROGRAM}: --co")
    assert '"' not in message, "the repr of an error"


def test_a_file_that_cannot_be_read_is_named_with_the_reason(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.mkdir()

    with pytest.raises(SystemExit) as stop:
        read("w")

    assert stop.value.code == 2
    assert f"{file}: cannot be read (Is a directory)" in capsys.readouterr().err


def test_a_top_level_key_that_no_verb_of_the_program_knows_is_noted(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be a slip, or an option of the other program that reads this file: it is never ignored without a word."""
    file.write_text("coat_cuont = 3\nrung_count = 5\ncolour = 'red'")

    assert read("w").colour == "red"

    message = capsys.readouterr().err
    assert "no option 'coat_cuont' here (did you mean 'coat_count'?)" in message
    assert "rung_count" not in message


def test_a_flag_that_is_wrong_is_not_blamed_on_the_variable_it_beats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINIAL_COAT_COUNT", "2")

    with pytest.raises(SystemExit):
        read("w", "--coat-count=0")

    assert "FINIAL_COAT_COUNT" not in capsys.readouterr().err


def test_the_tables_are_those_of_the_programs() -> None:
    """`shared` cannot ask trainer and service, a test can: a new verb belongs into TABLES."""
    from trainer.__main__ import VERBS

    assert set(TABLES) == {*VERBS, "service"}
