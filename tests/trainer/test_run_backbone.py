"""The backbone of a run: what it cannot do is refused before anything is downloaded or exported."""

from pathlib import Path
from typing import Any

import pytest

from trainer.errors import NoMiddleStage, SizeRefused, UsageError
from trainer.progress import Quiet
from trainer.run_backbone import open_backbone
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
