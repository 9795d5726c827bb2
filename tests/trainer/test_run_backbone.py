"""The backbone of a run: what it cannot do is refused before anything is downloaded or exported."""

from pathlib import Path
from typing import Any

import pytest

from trainer.errors import UsageError
from trainer.errors.features import NoMiddleStage, SizeRefused
from trainer.progress import Quiet
from trainer.run_backbone import open_backbone, open_to_compare
from trainer.settings import TrainSettings


@pytest.mark.parametrize(
    ("options", "error"), [({"image_size": 256}, SizeRefused), ({"taps": "middle"}, NoMiddleStage)]
)
def test_features_that_a_backbone_does_not_have_are_refused_before_its_weights_are_fetched(
    options: dict[str, Any], error: type[UsageError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """330 MB would be the price of learning it afterwards; here nobody answers at all."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    asked = {
        "data": "data",
        "backbone": "vit_b_16",
        "weights_url": "http://127.0.0.1:9",
        "cache_dir": tmp_path / "cache",
    }

    with pytest.raises(error, match="vit_b_16") as refused:
        open_backbone(TrainSettings.model_validate(asked | options), Quiet())

    assert refused.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_backbone_that_nobody_named_is_not_said_to_be_named(tmp_path: Path) -> None:
    """`--backbone auto` asks for one after the other as if it were named, and then for the one that it picked."""
    settings = TrainSettings.model_validate({"data": "data", "backbone": "nano", "cache_dir": tmp_path / "cache"})
    progress = Quiet()

    compared = open_to_compare(settings, progress)
    picked = open_backbone(settings, progress, because="nano, the fastest of 2.")

    assert progress.said[0] == "Backbone: nano, one of those that are compared; weights: embedded."
    assert (compared.reason, picked.reason) == (progress.said[0].partition(": ")[2], "nano, the fastest of 2.")
    assert "Backbone: nano, the fastest of 2." in progress.said
