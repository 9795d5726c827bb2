import numpy as np
import pytest

from bench.head import fit_ours, fit_theirs, made_rows


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
