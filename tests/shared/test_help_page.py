"""shared/help_page.py and flags that nobody knows: what a person reads who asks, or errs."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field
from pydantic_settings import CliPositionalArg

from shared.settings import FinialSettings


class Settings(FinialSettings):
    """Do something with data."""

    help_groups: ClassVar[Mapping[str, tuple[str, ...]]] = {"First": ("models_dir", "absent"), "Last": ("config",)}

    data: CliPositionalArg[Path] = Field(description="Where the data is.")
    more: CliPositionalArg[list[str]] = Field([], description="And more.")
    models_dir: Path = Field(Path("models"), description="Where bundles are " + "really " * 20 + "published.")
    seed: int | None = Field(None, description="Of everything.")
    mode: Literal["fast", "safe"] = Field("safe", description="How.")
    shares: tuple[float, float] = Field((0.5, 0.5), description="Of both.")
    size: Literal["auto"] | int | None = Field(None, description="In px.")
    fit: Literal["crop", "pad"] | Literal["auto"] = Field("auto", description="Or all.")
    pictures: bool = Field(True, description="--no-pictures keeps pictures out.")
    json_: bool = Field(False, alias="json", description="As JSON.")


def test_help_shows_arguments_and_then_options_under_headings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        Settings.from_command_line(["--help"], program="python -m finial do")

    shown = capsys.readouterr().out.splitlines()
    assert stop.value.code == 0
    assert shown[0] == "usage: python -m finial do DATA [MORE...] [options]"
    assert max(map(len, shown)) <= 80
    assert [line for line in shown if line.endswith(":")] == ["First:", "Other:", "Last:"] or [
        line for line in shown if line.endswith(":")
    ] == ["First:", "Last:", "Other:"]
    assert "  --seed N                Of everything." in shown
    assert "  --mode {fast,safe}      How. [safe]" in shown
    assert "  --size {auto,N}         In px." in shown
    assert "  --fit {crop,pad,auto}   Or all. [auto]" in shown
    assert "  --shares X,X            Of both. [0.5,0.5]" in shown
    assert "  --no-pictures           keeps pictures out." in shown
    assert "  --json                  As JSON." in shown
    assert any("FINIAL_MODELS_DIR" in line for line in shown)


@pytest.mark.parametrize(
    ("given", "meant"), [("--modles-dir", "--models-dir"), ("--no-picture-s", "--no-pictures"), ("--jsn", "--json")]
)
def test_an_unknown_option_is_told_with_the_one_that_was_meant(
    given: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        Settings.from_command_line(["data", f"{given}=x"], program="python -m finial do")

    assert stop.value.code == 2
    assert f"unknown option {given}; did you mean {meant}?" in capsys.readouterr().err


def test_a_file_whose_name_begins_like_an_option_comes_after_two_dashes() -> None:
    settings = Settings.from_command_line(["--seed", "3", "--", "--data", "-h"], program="do")

    assert (settings.data, settings.more, settings.seed) == (Path("--data"), ["-h"], 3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["data", "--seed"], "--seed: expected one argument"),
        (["data", "--json=maybe"], "takes no value, found 'maybe'"),
        ([], "the following arguments are required: DATA"),
    ],
)
def test_arguments_that_cannot_be_read_are_told_in_a_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not behind forty lines that list every option."""
    with pytest.raises(SystemExit) as stop:
        Settings.from_command_line(arguments, program="python -m finial do")

    shown = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert told in shown[0] and shown[0].startswith("python -m finial do: ")
    assert shown[1:] == ["Try `python -m finial do --help`."]
