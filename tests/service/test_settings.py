"""The service's options, from flag, variable and TOML key."""

from pathlib import Path

import pytest

from service.settings import ServiceSettings

PROGRAM = "python -m service"


def test_an_option_is_a_flag_a_variable_and_a_toml_key_in_that_order(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "finial.toml"
    config.write_text(f'models_dir = "{models_dir}"\n[service]\nmax_waiting = 1\nport = 1\nlanes = 1\n', "utf-8")
    monkeypatch.setenv("FINIAL_CONFIG", str(config))
    monkeypatch.setenv("FINIAL_MAX_WAITING", "2")
    monkeypatch.setenv("FINIAL_PORT", "2")

    settings = ServiceSettings.from_command_line(["--port", "3"], program=PROGRAM)

    assert (settings.models_dir, settings.lanes, settings.max_waiting, settings.port) == (models_dir, 1, 2, 3)


def test_sizes_are_written_as_people_write_them(models_dir: Path) -> None:
    settings = ServiceSettings.from_command_line(
        ["--models-dir", str(models_dir), "--max-upload", "3MiB"], program=PROGRAM
    )

    assert settings.max_upload == 3 * 1024**2


@pytest.mark.parametrize(
    "wrong",
    [
        ["--models-dir", "/no/such/folder"],
        ["--port", "65536"],
        ["--lanes", "0"],
        ["--lanes", "99999999999999"],
        ["--max-waiting", "99999999999999"],
        ["--max-pixels", "99999999999999"],
        ["--max-upload", "9EiB"],
        ["--request-timeout-s", "nan"],
        ["--max-upload", "ten"],
        ["--device", "gpu"],
        ["--micro-batching", "maybe"],
        ["--max-batch", "0"],
        ["--otlp-endpoint", "localhost:4318"],
        ["--no-such-flag"],
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named(
    wrong: list[str], models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--models-dir", str(models_dir), *wrong]

    with pytest.raises(SystemExit) as stopped:
        ServiceSettings.from_command_line(given, program=PROGRAM)

    assert stopped.value.code == 2
    assert wrong[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--otlp-endpoint", "localhost:4318"], "expected an address such as http://localhost:4318, found 'localhost"),
        (["--max-upload", "ten"], "--max-upload: expected a size such as 10MiB, found 'ten'"),
        (["--port", "65536"], "--port: expected at most 65,535, found '65536'"),
    ],
)
def test_what_was_expected_is_told_in_words_of_ours(
    wrong: list[str], told: str, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        ServiceSettings.from_command_line(["--models-dir", str(models_dir), *wrong], program=PROGRAM)

    assert told in capsys.readouterr().err


def test_settings_cannot_be_changed_after_the_start(models_dir: Path) -> None:
    settings = ServiceSettings(models_dir=models_dir)

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_an_option_that_was_replaced_is_told_with_what_took_its_place(
    models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--port`, which is spelt alike, was proposed."""
    with pytest.raises(SystemExit) as stop:
        ServiceSettings.from_command_line(
            ["--models-dir", str(models_dir), "--provider", "cuda"], program="python -m service"
        )

    assert stop.value.code == 2
    assert "unknown option --provider; --device (require-gpu, prefer-gpu or cpu) took its place" in (
        capsys.readouterr().err
    )
