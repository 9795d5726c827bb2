"""`train --backbone auto` from pictures to a bundle that says why, and a run that repeats it."""

import json
from pathlib import Path

import pytest

from tests.integration.pictures_on_disk import write_folder
from tests.integration.test_road import settings_for
from trainer.errors.comparing import NothingFastEnough
from trainer.pipeline import train
from trainer.progress import Quiet
from trainer.replay import read_earlier
from trainer.settings import TrainSettings

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_cached_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine has downloaded is not compared as well."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_what_was_picked_is_told_kept_and_taken_over(tmp_path: Path) -> None:
    """Times differ from run to run, so a run that is repeated does not pick again."""
    pictures = write_folder(tmp_path / "pictures", per_class=6)
    asked = {"backbone": "auto", "precision": "auto", "max_latency": "60s"}

    result = train(settings_for(pictures, tmp_path, **asked), Quiet())

    metadata = result.bundle.metadata
    record = json.loads((result.bundle.path / "run.json").read_text())["backbone"]
    assert record["reason"] == metadata.metrics["backbone_reason"]
    assert {one["precision"] for one in record["compared"]} == {"float32"}
    assert metadata.metrics["precision"]["wanted"] == "auto"
    repeated = read_earlier(result.bundle.path).settings(TrainSettings.model_validate({"data": pictures}))
    assert (repeated.backbone, repeated.max_latency) == (metadata.backbone.name, None)
    assert repeated.precision == "auto"


def test_nothing_is_trained_that_would_answer_too_late(tmp_path: Path) -> None:
    pictures = write_folder(tmp_path / "pictures", per_class=6)
    asked = {"backbone": "auto", "max_latency": "0.0001ms"}

    with pytest.raises(NothingFastEnough, match="the fastest here is "):
        train(settings_for(pictures, tmp_path, **asked), Quiet())
    assert not (tmp_path / "models" / "shapes").exists()
