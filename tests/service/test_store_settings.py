"""service/store_settings.py: what may be said of where models come from; what cannot be is refused at the start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.model_store import LocalStore
from service.remote_store import RemoteStore
from service.settings import ServiceSettings
from service.stores import open_store

PROGRAM = "python -m service"
VERSION, OTHER = "20260102T030405678Z-0a1b2c3d", "20260102T030405679Z-0a1b2c3d"


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default cache folder is made where the program was started."""
    monkeypatch.chdir(tmp_path)


def given(*arguments: str) -> ServiceSettings:
    return ServiceSettings.from_command_line(arguments, program=PROGRAM)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit, match="2"):
        given(*arguments)
    return capsys.readouterr().err


def test_a_folder_is_polled_every_second(models_dir: Path) -> None:
    settings = given("--models-dir", str(models_dir))

    assert isinstance(open_store(settings), LocalStore)
    assert (settings.models_dir, settings.poll_every_s) == (models_dir, 1.0)


def test_a_file_address_is_a_folder(models_dir: Path) -> None:
    assert given("--models-dir", f"file://{models_dir}").models_dir == models_dir


def test_an_address_is_kept_as_it_was_written_and_polled_less_often() -> None:
    settings = given("--models-dir", "memory://bucket/models", "--cache-dir", "copies")

    assert settings.models_dir == "memory://bucket/models"
    assert settings.poll_every_s == 10.0
    assert isinstance(open_store(settings), RemoteStore)
    assert Path("copies").is_dir()


def test_a_web_server_needs_names(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")

    assert "name those to serve: --models a,b" in refused(capsys, "--models-dir", "https://host/models")
    assert given("--models-dir", "https://host/models", "--models", "cats, dogs").models == ("cats", "dogs")
    assert given("--models-dir", "https://host/models", "--pin", f"cats={VERSION}").pins == {"cats": VERSION}


def test_where_nothing_can_be_listed_a_pin_names_a_model_too() -> None:
    """Or the server would be asked for a list for ever, and in vain."""
    pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")
    pin = ("--pin", f"cats={VERSION}")

    assert given("--models-dir", "https://host/models", *pin).only == {"cats"}
    assert given("--models-dir", "https://host/models", *pin, "--models", "dogs").only == {"cats", "dogs"}
    assert given("--models-dir", "memory://bucket/models", *pin).only == frozenset()


def test_a_package_that_is_missing_is_named_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        import adlfs  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        assert "pip install adlfs" in refused(capsys, "--models-dir", "az://container/models")
    else:
        pytest.skip("adlfs is installed here, so that nothing is missing")


def test_an_address_that_nobody_knows_is_refused_without_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "--models-dir", "ftpx://me:SECRET@host/models?sig=SECRET")

    assert "Protocol not known" in told
    assert "SECRET" not in told


def test_a_cache_that_cannot_be_written_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")

    assert "--cache-dir file/x cannot be written" in refused(
        capsys, "--models-dir", "memory://bucket/models", "--cache-dir", "file/x"
    )


def test_pins_may_be_repeated_or_come_from_the_environment_or_a_file(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"cats": VERSION, "dogs": OTHER}
    assert given("--pin", f"cats={VERSION}", "--pin", f"dogs={OTHER}", "--models-dir", str(models_dir)).pins == both
    monkeypatch.setenv("FINIAL_MODELS_DIR", str(models_dir))
    monkeypatch.setenv("FINIAL_PIN", f"cats={VERSION},dogs={OTHER}")
    assert given().pins == both
    monkeypatch.delenv("FINIAL_PIN")
    Path("a.toml").write_text(f'models = ["cats"]\npin = ["cats={VERSION}", "dogs={OTHER}"]\n')
    assert (given("--config", "a.toml").pins, given("--config", "a.toml").models) == (both, ("cats",))


@pytest.mark.parametrize("pin", ["cats", "cats=latest", f"Cats={VERSION}", f"={VERSION}", f"cats={VERSION}/.."])
def test_a_pin_that_cannot_be_one_is_refused(pin: str, models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--pin" in refused(capsys, "--models-dir", str(models_dir), "--pin", pin)


def test_a_model_is_pinned_to_one_version(models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "--models-dir", str(models_dir), "--pin", f"cats={VERSION}", "--pin", f"cats={OTHER}")

    assert "names a model twice" in told


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--also", "cats"], "--also"),
        (["--also", "cats=latest"], "--also"),
        (["--also", f"cats@{VERSION}"], "--also"),
        (["--also", f"cats={VERSION}", "--also", f"cats={VERSION}"], "names a version twice"),
        (["--also", f"cats={VERSION}", "--default-model", f"cats@{VERSION}"], "--default-model"),
    ],
)
def test_what_cannot_be_served_beside_is_refused(
    arguments: list[str], complaint: str, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint in refused(capsys, "--models-dir", str(models_dir), *arguments)


def test_several_versions_of_a_model_may_be_served_beside(models_dir: Path) -> None:
    settings = ServiceSettings.model_validate({"models_dir": models_dir, "also": f"cats={VERSION},cats={OTHER}"})

    assert settings.beside == {f"cats@{VERSION}": ("cats", VERSION), f"cats@{OTHER}": ("cats", OTHER)}
    assert settings.only == frozenset()


def test_a_name_that_no_model_may_have_is_refused(models_dir: Path) -> None:
    with pytest.raises(ValidationError, match="no model name"):
        ServiceSettings.model_validate({"models_dir": models_dir, "models": "Cats & Dogs"})
