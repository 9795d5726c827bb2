"""docs/results.md: a run goes on where it was interrupted, and the page says where ML.NET's head is not beaten."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.results_cells import Cell, add_cell, paired_difference, read_cells
from bench.results_page import write_page
from bench.results_sets import BEST, DATA_SETS, MLNET, PROBE, RECIPES

CELL = Cell(
    data="flower-photos-small",
    recipe=PROBE,
    n=200,
    labels=5,
    groups=200,
    folds=5,
    seeds=1,
    accuracies=(0.8, 0.9, 0.85, 0.9, 0.8),
    log_losses=(0.5, 0.4, 0.45, 0.4, 0.5),
    seconds=0.25,
    taken={},
    rows="abc",
    machine="a machine",
)


def shifted(cell: Cell, by: float, **changes: str) -> Cell:
    return replace(cell, accuracies=tuple(one + by for one in cell.accuracies), **changes)


def page_of(folder: Path, *cells: Cell) -> str:
    page = folder / "results.md"
    write_page(page, {(cell.data, cell.recipe): cell for cell in cells})
    return page.read_text()


def test_a_cell_is_read_as_it_was_written_and_the_later_one_counts(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "results.jsonl"
    later = shifted(CELL, 0.05)

    for cell in (CELL, replace(CELL, recipe=BEST, taken={"probe on 320 px": 5}), later):
        add_cell(kept, cell)

    cells = read_cells(kept)
    assert len(cells) == 2 and cells[CELL.data, PROBE] == later
    assert cells[CELL.data, BEST].taken == {"probe on 320 px": 5}


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path) -> None:
    kept = tmp_path / "results.jsonl"
    add_cell(kept, CELL)
    with kept.open("a") as file:
        file.write('{"data": "cats-dogs", "rec')

    assert list(read_cells(kept)) == [(CELL.data, PROBE)]
    add_cell(kept, replace(CELL, data="cats-dogs"))
    assert list(read_cells(kept)) == [(CELL.data, PROBE), ("cats-dogs", PROBE)]


def test_equal_folds_are_compared_one_by_one() -> None:
    """The folds' own differences do not count there."""
    mean, (low, high) = paired_difference(shifted(CELL, 0.06), CELL)
    loose, (lower, higher) = paired_difference(shifted(CELL, 0.06, rows="other samples"), CELL)

    assert (mean, loose) == pytest.approx((0.06, 0.06))
    assert lower < 0 < low < 0.06 < high < higher


def test_folds_that_agree_leave_open_what_so_many_pictures_cannot_tell() -> None:
    """All right of 19, as Wilson has it; and 0 of 19 changed, with half a one on either side."""
    perfect = replace(CELL, n=19, groups=19, accuracies=(1.0,) * 5)

    assert perfect.interval == pytest.approx((0.832, 1.0), abs=1e-3)
    assert paired_difference(perfect, perfect)[1] == pytest.approx((-1.96 / 21, 1.96 / 21), abs=1e-4)


def test_copies_are_no_further_witnesses_for_a_cell() -> None:
    few = replace(CELL, n=190, groups=19, accuracies=(1.0,) * 5)

    assert few.interval == pytest.approx((0.832, 1.0), abs=1e-3)


def test_the_page_says_who_is_ahead_and_whether_that_is_chance(tmp_path: Path) -> None:
    theirs = replace(CELL, recipe=MLNET)
    noisy = replace(CELL, accuracies=(0.9, 0.8, 0.9, 0.85, 0.85))

    assert "probe ahead; log loss" in page_of(tmp_path, shifted(CELL, 0.06), theirs)
    assert "probe ahead, within chance" in page_of(tmp_path, noisy, theirs)
    assert "**not ahead** with probe (-3.0 points, beyond chance)" in page_of(tmp_path, shifted(CELL, -0.03), theirs)


def test_the_page_counts_on_how_many_sets_the_best_recipe_is_ahead_and_behind(tmp_path: Path) -> None:
    """Beyond chance, within it and by the mean: a reader need not count rows."""
    sets = {"flower-photos-small": 0.06, "cats-dogs": -0.06, "hymenoptera": 0.0}
    theirs = [replace(CELL, data=name, recipe=MLNET) for name in sets]
    best = [shifted(CELL, by, data=name, recipe=BEST) for name, by in sets.items()]

    page = page_of(tmp_path, *theirs, *best)

    assert "of 3 sets, the best recipe is ahead of it beyond chance on 1 (flower-photos-small), " in page
    assert "within chance on 1 (hymenoptera), behind it beyond chance on 1 (cats-dogs); " in page
    assert "by the mean alone it is not ahead on 2 (hymenoptera, cats-dogs). " in page
    assert "In log loss, by the mean alone, it is behind on none." in page


def test_a_log_loss_that_is_behind_is_said_in_the_row_and_counted(tmp_path: Path) -> None:
    """A recipe can be right as often and less sure; the row must not say "ahead" alone."""
    theirs = replace(CELL, recipe=MLNET, log_losses=(0.1,) * 5)

    page = page_of(tmp_path, theirs, shifted(CELL, 0.06, recipe=BEST))

    assert "| best recipe ahead; **behind in log loss**, 0.100 against 0.450 |" in page
    assert "In log loss, by the mean alone, it is behind on 1 (flower-photos-small)." in page


def test_every_recipe_that_is_behind_is_listed_set_by_set(tmp_path: Path) -> None:
    """Also those without a column of their own; the backbone is a reason where the same probe shows it."""
    theirs = [replace(CELL, recipe=MLNET), replace(CELL, data="cats-dogs", recipe=MLNET)]
    ours = [shifted(CELL, by, recipe=name) for name, by in ((PROBE, 0.01), ("nano", -0.02), ("SqueezeNet", -0.05))]
    other = [shifted(CELL, by, data="cats-dogs", recipe=name) for name, by in ((PROBE, -0.03), ("nano", -0.01))]

    page = page_of(tmp_path, *theirs, *ours, *other)

    assert (
        "on flower-photos-small (85.0) nano 83.0, SqueezeNet 80.0; on cats-dogs (85.0) probe 82.0, nano 84.0. " in page
    )
    assert "weaker ones in 2 of these 3 cells" in page


def test_the_page_says_so_where_no_recipe_is_behind(tmp_path: Path) -> None:
    page = page_of(tmp_path, replace(CELL, recipe=MLNET), shifted(CELL, 0.01))

    assert "No recipe of ours is behind it in mean accuracy on any set." in page
    assert "weaker" not in page


def test_the_page_says_that_mlnets_cell_is_the_better_of_two_ways(tmp_path: Path) -> None:
    assert "picked with hindsight" in page_of(tmp_path, replace(CELL, recipe=MLNET), CELL)


def test_dashes_are_explained_while_there_are_any(tmp_path: Path) -> None:
    names = [one.name for one in DATA_SETS if not one.left_out]
    whole = [replace(CELL, data=name, recipe=recipe) for name in names for recipe in RECIPES]

    assert "A dash: not measured yet." in page_of(tmp_path, *whole[1:])
    assert "A dash" not in page_of(tmp_path, *whole)


def test_one_seed_is_one_seed(tmp_path: Path) -> None:
    assert "5 folds x 1 seed.\n" in page_of(tmp_path, CELL)
    assert "5 folds x 2 seeds.\n" in page_of(tmp_path, replace(CELL, seeds=2))


def test_the_best_recipe_speaks_for_us_once_it_is_measured(tmp_path: Path) -> None:
    theirs, best = replace(CELL, recipe=MLNET), shifted(CELL, 0.05, recipe=BEST)

    assert "best recipe ahead" in page_of(tmp_path, CELL, theirs, best)


def test_what_is_not_measured_is_left_open(tmp_path: Path) -> None:
    page = page_of(tmp_path, CELL)

    row = next(line for line in page.splitlines() if line.startswith("| flower-photos-small | **85.0**"))
    assert row.count(" - |") == len(RECIPES) - 1
    assert "Against ML.NET" not in page
    for data_set in DATA_SETS:
        assert data_set.name in page


def test_recipes_that_were_taken_are_named_up_to_three(tmp_path: Path) -> None:
    many = replace(CELL, recipe=BEST, taken={"a": 9, "b": 7, "c": 5, "d": 3, "e": 1})

    assert "| best recipe (a: 9 x; b: 7 x; c: 5 x; others: 4 x) |" in page_of(tmp_path, many)
    assert "| best recipe (a) |" in page_of(tmp_path, replace(many, taken={"a": 25}))
