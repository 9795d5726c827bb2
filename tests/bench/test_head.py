import argparse
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.head import fit_ours, fit_theirs, made_rows, read


def test_made_rows_are_rectified_and_have_all_classes_on_both_sides() -> None:
    rows = made_rows(40, 8, 4)

    assert rows.features.shape == (40, 8) and rows.test.shape == (10, 8)
    assert rows.features.min() == 0
    assert set(rows.targets) == set(rows.test_targets) == {0, 1, 2, 3}


@pytest.mark.parametrize("side_by_side", [True, False])
def test_both_sides_choose_one_strength_and_find_one_optimum(*, side_by_side: bool) -> None:
    """Else the seconds would be those of different work."""
    pytest.importorskip("sklearn")
    rows = made_rows(300, 20, 3)

    ours, strengths = fit_ours(rows, threads=1)
    theirs = fit_theirs(rows, 1, strengths, side_by_side=side_by_side)

    assert abs(np.log(ours.l2 / theirs.l2)) < 1  # neighbours at most: they are a third of a decade apart
    assert ours.log_loss == pytest.approx(theirs.log_loss, abs=0.02)
    assert ours.accuracy == pytest.approx(theirs.accuracy, abs=0.03)


def test_features_of_pictures_are_held_out_by_groups(tmp_path: Path) -> None:
    """Copies of one picture are not learned from on one side and asked about on the other."""
    for label, green in (("a", 0), ("b", 200)):
        (tmp_path / label).mkdir()
        for number in range(30):
            name = tmp_path / label / f"{number}.png"
            Image.new("RGB", (32, 32), (8 * (number // 2), green, 90)).save(name)  # each lies there twice
    given = argparse.Namespace(backbone="nano", weights=None, cache_dir=tmp_path / "cache", threads=1)

    rows = read(tmp_path, given)

    assert len(rows.features) + len(rows.test) == 60
    assert set(rows.targets) == set(rows.test_targets) == {0, 1}
    learned = {row.tobytes() for row in rows.features}
    assert not learned & {row.tobytes() for row in rows.test}
