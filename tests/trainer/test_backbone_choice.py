"""`--backbone auto` takes the fastest that is as good as the best, within what a request may take."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tests.integration.pictures_on_disk import write_folder
from tests.trainer.conv_graph import conv_graph
from tests.trainer.given_graph import given_backbone
from trainer.backbone_choice import open_all, pick, settle_backbone
from trainer.compared import Compared
from trainer.errors.comparing import NothingFastEnough, NothingToCompare
from trainer.errors.features import NoMiddleStage
from trainer.intake import read_audited
from trainer.progress import Progress, Quiet
from trainer.run_backbone import RunBackbone
from trainer.settings import TrainSettings

RANDOM = np.random.default_rng(0)
LOSSES = RANDOM.gamma(1, 0.3, 200)
PICTURES = [str(number) for number in range(200)]


def one(name: str, latency_ms: float, losses: NDArray[np.float64], *, backbones: int = 1) -> Compared:
    names = tuple(f"{name}{number}" for number in range(backbones))
    return Compared(
        name, names, "crop", "float32", 8, 0.9, (0.8, 0.95), float(losses.mean()), 50.0, latency_ms, 9, losses
    )


BEST = one("best", 30.0, LOSSES)
EQUAL = one("equal", 20.0, LOSSES + RANDOM.normal(0, 0.1, 200))
FASTEST = one("fastest", 5.0, LOSSES + 0.5)
PAIR = one("pair", 4.0, LOSSES - 0.2, backbones=2)


def test_the_fastest_within_one_standard_error_of_the_best_is_taken() -> None:
    chosen, reason = pick([BEST, EQUAL, FASTEST], PICTURES, None)

    assert chosen is EQUAL
    assert reason.startswith("equal, the fastest of 3 whose log loss is within one standard error of the best one's")


def test_copies_of_a_picture_are_one_witness_for_a_backbone() -> None:
    """Four series of which one speaks for the slower backbone: as 200 pictures, they would be beyond doubt."""
    series = np.arange(200) % 4
    slower = one("slower", 30.0, LOSSES - np.where(series == 0, 0.2, 0.01))
    faster = one("faster", 10.0, LOSSES)

    assert pick([slower, faster], PICTURES, None)[0] is slower
    assert pick([slower, faster], [f"series {number}" for number in series], None)[0] is slower
    only_one = one("slower", 30.0, LOSSES - np.where(series == 0, 0.2, 0.0))
    assert pick([only_one, faster], PICTURES, None)[0] is only_one
    assert pick([only_one, faster], [f"series {number}" for number in series], None)[0] is faster


def test_what_takes_too_long_is_not_even_compared_with() -> None:
    chosen, reason = pick([BEST, EQUAL, FASTEST], PICTURES, 10.0)

    assert chosen is FASTEST
    assert "the fastest of 1 within 10 ms" in reason


def test_two_backbones_side_by_side_are_not_picked() -> None:
    assert pick([PAIR, BEST], PICTURES, None)[0] is BEST


def test_nothing_fast_enough_is_an_error_that_names_the_fastest() -> None:
    with pytest.raises(NothingFastEnough, match=r"--max-latency 1ms: the fastest here is fastest with 5\.0 ms"):
        pick([BEST, FASTEST], PICTURES, 1.0)


@pytest.mark.parametrize(("given", "milliseconds"), [("20ms", 20.0), ("0.02s", 20.0), ("20", 20.0), (20, 20.0)])
def test_a_latency_is_given_with_its_unit_or_in_milliseconds(
    tmp_path: Path, given: str | float, milliseconds: float
) -> None:
    settings = TrainSettings.model_validate({"data": tmp_path, "name": "a", "backbone": "auto", "max_latency": given})

    assert settings.max_latency == pytest.approx(milliseconds)


@pytest.mark.parametrize("given", ["soon", "xs", "0ms", "-3s"])
def test_a_latency_that_is_none_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(ValidationError, match="max_latency"):
        TrainSettings.model_validate({"data": tmp_path, "name": "a", "backbone": "auto", "max_latency": given})


def test_a_longest_latency_without_a_backbone_to_pick_is_refused(tmp_path: Path) -> None:
    """It would else be passed over in silence."""
    with pytest.raises(ValidationError, match="add --backbone auto"):
        TrainSettings.model_validate({"data": tmp_path, "name": "a", "backbone": "nano", "max_latency": "20ms"})


CONVOLUTIONS = given_backbone("convolutions", conv_graph(), 8)


@pytest.fixture
def no_cached_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine has downloaded is not looked at."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def settings_for(data: Path, **options: object) -> TrainSettings:
    given = {"data": data, "name": "a", "backbone": "auto", "cache_dir": data.parent / "cache", "threads": 1}
    return TrainSettings.model_validate(given | {"provider": "cpu"} | options)


def open_convolutions(wish: TrainSettings, progress: Progress) -> RunBackbone:
    """As if they were in the weights file; nano, here, has no middle stage."""
    if wish.backbone == "nano":
        raise NoMiddleStage("nano")
    return CONVOLUTIONS


def test_an_empty_table_is_no_crash() -> None:
    with pytest.raises(NothingToCompare, match="backbones fetch"):
        pick([PAIR], PICTURES, None)


@pytest.mark.usefixtures("no_cached_weights")
def test_without_nano_and_without_weights_what_was_looked_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        NothingToCompare, match=r"--no-nano .* torchvision's cache .*`python -m trainer backbones fetch"
    ):
        open_all(settings_for(tmp_path / "data", nano=False), Quiet())


@pytest.mark.usefixtures("no_cached_weights")
def test_a_backbone_that_does_not_suit_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    progress = Quiet()

    opened = open_all(settings_for(tmp_path / "data", weights="x.pth"), progress, open_one=open_convolutions)

    assert [backbone.entry.name for _, backbone in opened] == ["convolutions"]
    assert any("leaves nano out: --taps middle: nano has no middle stage" in one for one in progress.warnings)


@pytest.mark.usefixtures("no_cached_weights")
def test_it_is_an_error_where_none_is_left(tmp_path: Path) -> None:
    with pytest.raises(NothingToCompare, match="nano has no middle stage"):
        open_all(settings_for(tmp_path / "data", taps="middle"), Quiet())


@pytest.mark.usefixtures("no_cached_weights")
@pytest.mark.parametrize(("asked", "compared_in"), [("auto", "float32"), ("int8", "int8"), ("float32", "float32")])
def test_the_precision_stays_as_asked_for_and_auto_is_left_to_its_own_rule(
    tmp_path: Path, asked: str, compared_in: str
) -> None:
    """Which is 1.2 x as fast and half a point at most; the faster within a standard error would pass it by."""
    data = write_folder(tmp_path / "data", per_class=8, size=24)
    settings, progress = settings_for(data, weights="x.pth", fit="crop", precision=asked), Quiet()

    settled, choice = settle_backbone(settings, read_audited(settings, progress), progress, open_one=open_convolutions)

    assert choice is not None
    assert (settled.precision, settled.fit, settled.weights) == (asked, "crop", Path("x.pth"))
    assert {one.precision for one in choice.compared} == {compared_in}


@pytest.mark.usefixtures("no_cached_weights")
def test_the_pick_never_sees_the_test_split(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", per_class=10, size=24)
    settings, progress = settings_for(data, weights="x.pth", fit="crop", split="0.5,0.25,0.25"), Quiet()

    _, choice = settle_backbone(settings, read_audited(settings, progress), progress, open_one=open_convolutions)

    assert choice is not None
    assert len(choice.compared[0].losses) < 20


@pytest.mark.usefixtures("no_cached_weights")
def test_a_choice_among_one_is_no_choice_and_that_is_said(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", per_class=8, size=24)
    settings, progress = settings_for(data, weights="x.pth", fit="crop"), Quiet()

    settle_backbone(settings, read_audited(settings, progress), progress, open_one=open_convolutions)

    assert any("nothing to choose from: only convolutions could be compared" in one for one in progress.warnings)
