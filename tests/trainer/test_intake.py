"""trainer/intake.py: what cannot be learned from is left out, and nothing else."""

from pathlib import Path

import numpy as np

from tests.trainer.grey_pictures import make_pictures, statistics_of
from trainer.audit import audit_manifest
from trainer.featurize import Features
from trainer.intake import leave_out_unreadable
from trainer.progress import Quiet
from trainer.samples import Manifest, PassedOver, Sample


def test_a_picture_that_cannot_be_decoded_takes_no_other_of_its_name_with_it() -> None:
    """Rows of features and samples must stay together, whatever two files are called."""
    samples = tuple(
        Sample(
            Path(f"{row}.jpg"), "one name.jpg" if row < 2 else f"{row}.jpg", "cat" if row % 2 else "dog", f"{row}", None
        )
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
