"""trainer/comparing.wishes_of: which backbones `compare` takes, and with which weights."""

from pathlib import Path

from trainer.compare_settings import CompareSettings
from trainer.comparing import wishes_of


def test_a_weights_file_goes_to_the_backbone_that_it_fits_also_where_that_is_named(tmp_path: Path) -> None:
    """Named beside its file, a backbone was looked for in the cache, and would have been downloaded."""
    file = tmp_path / "mobilenet_v2_own.pth"
    file.write_bytes(b"never opened here")
    options = {"data": tmp_path, "backbones": "nano,mobilenet_v2,resnet18", "weights": str(file)}

    wishes = wishes_of(CompareSettings.model_validate(options))

    assert [(one.backbone, one.weights) for one in wishes] == [(None, file), ("nano", None), ("resnet18", None)]
