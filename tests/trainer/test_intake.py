"""trainer/intake.py: what cannot be learned from is left out, and nothing else."""

from pathlib import Path

import numpy as np

from tests.trainer.grey_pictures import make_pictures, statistics_of
from tests.trainer.tiny_bundle import paint
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.audit import audit_manifest
from trainer.featurize import Features, featurize
from trainer.intake import leave_out_unreadable, read_audited
from trainer.progress import Quiet
from trainer.samples import Manifest, PassedOver, Sample
from trainer.settings import TrainSettings


def test_a_picture_that_cannot_be_decoded_takes_no_other_of_its_name_with_it() -> None:
    """Rows of features and samples must stay together, whatever two files are called."""
    samples = tuple(
        Sample(f"{row}.jpg", "one name.jpg" if row < 2 else f"{row}.jpg", "cat" if row % 2 else "dog", f"{row}", None)
        for row in range(10)
    )
    audit = audit_manifest(Manifest(samples, ("cat", "dog"), (), (), "folders"))
    readable = (0, *range(2, 10))
    features = Features(
        np.zeros((9, 4), np.float32),
        statistics_of(make_pictures(9)),
        readable,
        (PassedOver("one name.jpg", "torn"),),
        featurized=9,
        from_cache=0,
    )

    left = leave_out_unreadable(audit, features, max_bad=0.5, progress=Quiet())

    assert left.manifest.samples == tuple(samples[row] for row in readable)


def test_twenty_unreadable_pictures_are_named_without_twenty_times_the_same_advice(tmp_path: Path) -> None:
    for number in range(40):
        paint(tmp_path / "data" / ("red" if number % 2 else "green") / f"{number}.png", "red", size=20 + number)
    for number in range(20):
        (tmp_path / "data" / "red" / f"broken-{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    progress = Quiet()
    values = {"data": str(tmp_path / "data"), "cache_dir": tmp_path / "cache", "max_bad": 0.5}
    settings = TrainSettings.model_validate(values)
    audit = read_audited(settings, progress)

    features = featurize(audit.manifest.samples, tiny_graph(), TINY_SPEC, cache_dir=tmp_path / "cache", provider="cpu")
    leave_out_unreadable(audit, features, max_bad=0.5, progress=progress)

    (told,) = [warning for warning in progress.warnings if "unreadable" in warning]
    assert all(f"red/broken-{number}.png: " in told for number in range(20))
    assert len(told) < 20 * 100
