"""Who may ask, as it is said at the start."""

from pathlib import Path

import pytest

from service.__main__ import main
from service.settings import ServiceSettings


def settings_of(models_dir: Path, *arguments: str) -> ServiceSettings:
    return ServiceSettings.from_command_line(["--models-dir", str(models_dir), *arguments], program="python -m service")


def test_origins_may_be_named_one_by_one_or_in_a_list(models_dir: Path) -> None:
    one_by_one = settings_of(models_dir, "--allow-origin", "https://a.example", "--allow-origin", "http://[::1]:5173")
    in_a_list = settings_of(models_dir, "--allow-origin", "https://a.example, http://[::1]:5173")

    assert one_by_one.allow_origin == in_a_list.allow_origin == ("https://a.example", "http://[::1]:5173")


@pytest.mark.parametrize(
    ("origin", "complaint"),
    [
        ("https://a.example/", "without a path"),
        ("https://a.example/page", "without a path"),
        ("a.example", "no origin"),
        ("https://A.example", "small letters"),
        ("https://*.a.example", "no origin"),
        ("null", "no origin"),
        ("https://a.example:443", "leave :443 out"),
        ("http://a.example:80", "leave :80 out"),
        ("https://a.example:99999", "no port above 65535"),
        ("*,https://a.example", "name it alone"),
    ],
)
def test_an_origin_that_no_browser_would_send_ends_the_start(
    origin: str, complaint: str, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is compared letter by letter, so it would never match, and nobody would know why."""
    with pytest.raises(SystemExit) as ended:
        settings_of(models_dir, "--allow-origin", origin)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_file_of_keys_that_cannot_be_used_ends_the_start(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody could come in; better said now than by 401."""
    assert main(["--models-dir", str(models_dir), "--port", "0", "--api-keys", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: No such file or directory" in capsys.readouterr().err
