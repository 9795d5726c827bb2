"""Drawn pictures: the same for anyone, no two alike, and drawn once."""

from pathlib import Path

import numpy as np

from bench.drawn_pictures import draw, drawn_pictures
from shared.files import sha256_of_file

SMALL = (60, 45)


def test_a_picture_depends_on_its_number_alone() -> None:
    assert np.array_equal(np.asarray(draw(3, SMALL)), np.asarray(draw(3, SMALL)))
    assert not np.array_equal(np.asarray(draw(3, SMALL)), np.asarray(draw(4, SMALL)))


def test_samples_name_files_by_what_is_in_them(tmp_path: Path) -> None:
    samples = drawn_pictures(tmp_path, 12, size=SMALL)

    assert len({sample.digest for sample in samples}) == 12
    assert all(sample.digest == sha256_of_file(sample.path) for sample in samples)


def test_a_folder_is_gone_on_with(tmp_path: Path) -> None:
    """20,000 of them take minutes; what is there is neither drawn again nor changed."""
    few = drawn_pictures(tmp_path, 2, size=SMALL)
    written = [sample.path.stat().st_mtime_ns for sample in few]

    more = drawn_pictures(tmp_path, 5, size=SMALL)

    assert more[:2] == few and len(more) == 5
    assert [sample.path.stat().st_mtime_ns for sample in few] == written
