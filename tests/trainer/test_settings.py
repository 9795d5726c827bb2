"""The trainer's options: bounded before any work begins, and a model name that is the data's own."""

from pathlib import Path

import pytest

from shared.settings import FinialSettings
from trainer.settings import CacheSettings, PredictSettings, SampleSettings, TrainSettings

HUGE = "99999999999999"


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        (TrainSettings, ["data", "--threads", HUGE]),
        (TrainSettings, ["data", "--seed", HUGE]),
        (TrainSettings, ["data", "--folds", HUGE]),
        (TrainSettings, ["data", "--keep-versions", HUGE]),
        (PredictSettings, ["models/pets", "a.jpg", "--limit", HUGE * 2]),
        (PredictSettings, ["models/pets", "a.jpg", "--threads", HUGE]),
        (SampleSettings, ["data", "--per-class", HUGE]),
        (SampleSettings, ["data", "--seed", HUGE]),
    ],
)
def test_a_number_beyond_all_use_is_refused_at_the_start(
    settings: type[TrainSettings], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by an overflow in a library, an hour later."""
    with pytest.raises(SystemExit) as stop:
        settings.from_command_line(arguments, program="python -m trainer verb")

    assert stop.value.code == 2
    assert f"{arguments[-2]}: expected at most " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "arguments", "told"),
    [
        (TrainSettings, ["data", "--seed", "abc"], "--seed: expected a whole number, found 'abc'"),
        (CacheSettings, ["prune", "--older-than", "30x"], "expected hours or days, such as 12h or 30d, found '30x'"),
        (CacheSettings, ["prune", "--fingerprint", "x"], "expected the first 4 characters or more of an entry's name"),
    ],
)
def test_a_value_of_another_kind_is_told_in_words_of_ours(
    settings: type[FinialSettings], arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        settings.from_command_line(arguments, program="python -m trainer verb")

    assert stop.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("flowers", "flowers"),
        ("Cats & Dogs", "cats-dogs"),
        ("M\u00e4dchen auf Stra\u00dfen", "madchen-auf-strassen"),
        ("v1.2_final", "v1.2_final"),
        ("_" + "x" * 80, "x" * 63),
    ],
)
def test_a_model_is_named_after_its_data(folder: str, name: str, tmp_path: Path) -> None:
    assert TrainSettings(data=tmp_path / folder).model_name == name


def test_a_table_gives_its_name_without_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "tags.tsv").write_text("a.jpg\tcat\n")

    assert TrainSettings(data=tmp_path / "tags.tsv").model_name == "tags"


@pytest.mark.parametrize(
    "folder", ["\u65e5\u672c", "\u0444\u043e\u0442\u043e", "\u0444\u043e\u0442\u043e1", "data-\u65e5\u672c", "--", "/"]
)
def test_data_whose_name_loses_letters_needs_a_name(folder: str, tmp_path: Path) -> None:
    """Or two data sets would be published as versions of one model."""
    with pytest.raises(ValueError, match="choose one, such as --name pets"):
        TrainSettings(data=tmp_path / folder)

    assert TrainSettings(data=tmp_path / folder, name="photos").model_name == "photos"


def test_the_shares_of_the_tutorials_are_accepted(tmp_path: Path) -> None:
    """0.7,0.27,0.03 is what ML.NET's tutorials end up with; by default validation and test have as much."""
    assert TrainSettings.model_validate({"data": tmp_path, "split": "0.7,0.27,0.03"}).split == (0.7, 0.27, 0.03)
    assert TrainSettings.model_validate({"data": tmp_path}).split == (0.7, 0.15, 0.15)


def test_a_grouping_that_is_no_regular_expression_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        TrainSettings.model_validate({"data": tmp_path, "group_by": "(patient"})


def test_the_run_to_repeat_is_a_flag_a_variable_and_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though `from` is a word of Python's own."""
    (tmp_path / "finial.toml").write_text('[train]\nfrom = "models/file"\n')
    arguments = ["data", "--config", str(tmp_path / "finial.toml")]

    def read(*more: str) -> Path | None:
        return TrainSettings.from_command_line([*arguments, *more], program="python -m trainer train").from_

    assert read() == Path("models/file")
    monkeypatch.setenv("FINIAL_FROM", "models/variable")
    assert read() == Path("models/variable")
    assert read("--from", "models/flag") == Path("models/flag")


def test_an_address_keeps_its_slashes() -> None:
    settings = TrainSettings.from_command_line(["s3://bucket/Flowers.tar.gz"], program="python -m trainer train")

    assert (settings.data, settings.model_name) == ("s3://bucket/Flowers.tar.gz", "flowers")


def test_a_limit_of_cost_is_refused_where_it_would_limit_nothing() -> None:
    """It would be passed over silently, and the model would cost what it costs."""
    with pytest.raises(ValueError, match=r"--max-cost 2: .* add --search or --image-size auto"):
        TrainSettings.model_validate({"data": "pets", "max_cost": 2})

    for chosen in ({"search": True}, {"image_size": "auto"}):
        assert TrainSettings.model_validate({"data": "pets", "max_cost": 2} | chosen).max_cost == 2


@pytest.mark.parametrize("precision", ["int8", "auto"])
def test_int8_is_not_asked_of_a_gpu(precision: str, tmp_path: Path) -> None:
    """Nothing would be gained there, and auto would time what then does not serve."""
    with pytest.raises(ValueError, match=f"--precision {precision}: int8 computes on CPUs; leave out --provider cuda"):
        TrainSettings.model_validate({"data": tmp_path, "precision": precision, "provider": "cuda"})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--views", "99"], "--views: expected 'auto' or at most 64, found '99'"),
        (["--fit", "zoom"], "--fit: expected 'crop', 'pad' or 'stretch' or 'auto', found 'zoom'"),
        (["--taps", "a b"], "--taps: expected none, middle, auto, or names of modules with commas between"),
        (["--taps", "auto:peaks"], "auto and none stand alone"),
        (["--taps", "none,features.13"], "auto and none stand alone"),
        (["--taps", "a:most"], "such as features.13, each with :peaks or :quarters after it where it is not averaged"),
    ],
)
def test_a_value_that_is_neither_word_nor_number_is_told_once(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        TrainSettings.from_command_line(["data", *arguments], program="python -m trainer train")

    shown = capsys.readouterr().err
    assert told in shown and shown.count(arguments[0]) == 1
