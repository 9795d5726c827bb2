"""What is read of a sample is what the manifest saw."""

import hashlib
from pathlib import Path

import pytest

from trainer.errors.features import PictureNoLongerUsable
from trainer.sample_bytes import read_sample
from trainer.samples import Sample


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    (tmp_path / "one.png").write_bytes(b"a picture")
    return Sample(str(tmp_path / "one.png"), "a/one.png", "a", hashlib.sha256(b"a picture").hexdigest(), None)


def test_the_bytes_are_those_that_the_digest_is_of(sample: Sample) -> None:
    assert read_sample(sample) == b"a picture"


def test_other_bytes_are_refused_with_the_name_of_the_picture(sample: Sample) -> None:
    sample.path.write_bytes(b"another")

    with pytest.raises(PictureNoLongerUsable, match=r"^a/one\.png: changed"):
        read_sample(sample)


def test_a_file_that_is_gone_is_refused_with_the_name_of_the_picture(sample: Sample) -> None:
    sample.path.unlink()

    with pytest.raises(PictureNoLongerUsable, match=r"^a/one\.png: cannot be read"):
        read_sample(sample)
