"""What a worker answers of a picture is believed only where this machine finds the same."""

from pathlib import Path

import pytest

from tests.trainer.test_featurize import write_picture
from trainer.errors.clusters import WorkerWithoutFiles
from trainer.picture_rows import CANNOT_READ, CHANGED
from trainer.ray_checks import require_done
from trainer.ray_lots import LotResult


def test_an_old_copy_of_the_pictures_on_a_node_is_no_changed_picture(tmp_path: Path) -> None:
    """Else a node with a disk of its own takes its lots out of the training, with a note about changed pictures."""
    sample = write_picture(tmp_path / "one.png", 5)
    result = LotResult(0, "node (10.0.0.1)", {sample.digest: CHANGED})

    with pytest.raises(
        WorkerWithoutFiles, match=r"node .10\.0\.0\.1. .*one\.png .*old copy.*disk that all nodes share"
    ):
        require_done(result, [sample], "/cache")


def test_a_picture_that_has_changed_here_as_well_is_told_as_such(tmp_path: Path) -> None:
    sample = write_picture(tmp_path / "one.png", 5)
    write_picture(tmp_path / "one.png", 6)

    require_done(LotResult(0, "node", {sample.digest: CHANGED}), [sample], "/cache")
    sample.path.unlink()
    require_done(LotResult(0, "node", {sample.digest: CHANGED}), [sample], "/cache")


def test_a_picture_that_nobody_can_read_is_told_as_such(tmp_path: Path) -> None:
    sample = write_picture(tmp_path / "one.png", 5)
    gone = LotResult(0, "node", {sample.digest: f"{CANNOT_READ}No such file"})

    with pytest.raises(WorkerWithoutFiles, match=r"No such file.*disk that all nodes share"):
        require_done(gone, [sample], "/cache")
    sample.path.unlink()
    require_done(gone, [sample], "/cache")
