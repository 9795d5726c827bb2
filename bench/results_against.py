"""What docs/results.md says of our recipes against ML.NET's head: where they are ahead, within chance, and behind."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.results_cells import Cell, Cells, paired_difference
from bench.results_sets import BEST, MLNET, PROBE, RECIPES

_IN_TABLE = (PROBE, "probe + views", BEST, "SGD")
_OTHER_BACKBONES = ("nano", "SqueezeNet")

_INTRODUCTION = """## Against ML.NET's head

Points of accuracy above it, on the same folds, with the 95 % interval of the difference; then log loss, theirs \
against ours. ML.NET itself cannot run here; `bench/mlnet_head.py` says what is equal. Its head is measured in two \
ways, with early stopping as it comes and with all 200 epochs; of each set the more accurate one counts, picked with \
hindsight, by the held-out folds themselves, in its favour.
"""


@dataclass(frozen=True)
class Compared:
    """The cells of one data set.

    Attributes:
        name: of the set.
        theirs: of ML.NET's head.
        ours: by recipe, in the page's order; at least one.
    """

    name: str
    theirs: Cell
    ours: dict[str, Cell]


def against(names: Sequence[str], cells: Cells) -> str:
    """The section on these data sets; empty while nothing can be compared."""
    sets = [one for name in names if (one := _compared(name, cells))]
    if not sets:
        return ""
    parts = [_INTRODUCTION, _how_often(sets), _table(sets), _behind(sets)]
    return "\n".join(part for part in parts if part)


def _compared(name: str, cells: Cells) -> Compared | None:
    theirs = cells.get((name, MLNET))
    ours = {recipe: cell for recipe in RECIPES if recipe != MLNET and (cell := cells.get((name, recipe)))}
    return Compared(name, theirs, ours) if theirs and ours else None


def _how_often(sets: list[Compared]) -> str:
    """On how many sets the best recipe is ahead, within chance and behind; empty while it is not measured."""
    pairs = {one.name: (one.ours[BEST], one.theirs) for one in sets if BEST in one.ours}
    if not pairs:
        return ""
    found = {name: paired_difference(*pair) for name, pair in pairs.items()}
    ahead = [name for name, (_, (low, _)) in found.items() if low > 0]
    behind = [name for name, (_, (_, high)) in found.items() if high < 0]
    within = [name for name in found if name not in ahead + behind]
    not_ahead = [name for name, (mean, _) in found.items() if mean <= 0]
    less_sure = [name for name, (ours, theirs) in pairs.items() if ours.log_loss > theirs.log_loss]
    return (
        f"In accuracy, of {len(found)} sets, the best recipe is ahead of it beyond chance on {_counted(ahead)}, within "
        f"chance on {_counted(within)}, behind it beyond chance on {_counted(behind)}; by the mean alone it is not "
        f"ahead on {_counted(not_ahead)}. In log loss, by the mean alone, it is behind on {_counted(less_sure)}.\n"
    )


def _counted(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names)})" if names else "none"


def _table(sets: list[Compared]) -> str:
    rows = ""
    for one in sets:
        ours = [one.ours.get(recipe) for recipe in _IN_TABLE]
        shown = [_difference(cell, one.theirs) if cell else "-" for cell in ours]
        rows += f"| {one.name} | {' | '.join(shown)} | {_verdict(one)} |\n"
    return f"| | {' | '.join(_IN_TABLE)} | |\n|{' --- |' * (len(_IN_TABLE) + 2)}\n{rows}"


def _difference(cell: Cell, theirs: Cell) -> str:
    mean, (low, high) = paired_difference(cell, theirs)
    return f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _verdict(one: Compared) -> str:
    """Of the best recipe, or of the first one that was measured."""
    best = one.ours.get(BEST) or next(iter(one.ours.values()))
    mean, (low, high) = paired_difference(best, one.theirs)
    losses = _log_losses(best, one.theirs)
    if mean > 0:
        return f"{best.recipe} ahead{'' if low > 0 else ', within chance'}; {losses}"
    chance = "which is within chance at this size" if high >= 0 else "beyond chance"
    return f"**not ahead** with {best.recipe} ({100 * mean:+.1f} points, {chance}); {losses}"


def _log_losses(ours: Cell, theirs: Cell) -> str:
    behind = ours.log_loss > theirs.log_loss
    return f"{'**behind in log loss**,' if behind else 'log loss'} {theirs.log_loss:.3f} against {ours.log_loss:.3f}"


def _behind(sets: list[Compared]) -> str:
    """Every recipe of ours whose mean accuracy is lower, set by set, and how much of that the backbone explains."""
    lower = {one.name: [cell for cell in one.ours.values() if _is_lower(cell, one.theirs)] for one in sets}
    told = [f"on {one.name} ({_percent(one.theirs)}) {_listed(lower[one.name])}" for one in sets if lower[one.name]]
    if not told:
        return "No recipe of ours is behind it in mean accuracy on any set.\n"
    return (
        "Behind it in mean accuracy, within chance or beyond it, in %, its own in brackets: "
        f"{'; '.join(told)}.{_of_backbones(sets)}\n"
    )


def _is_lower(cell: Cell, other: Cell) -> bool:
    return cell.accuracy < other.accuracy


def _listed(cells: list[Cell]) -> str:
    return ", ".join(f"{cell.recipe} {_percent(cell)}" for cell in cells)


def _percent(cell: Cell) -> str:
    return f"{100 * cell.accuracy:.1f}"


def _of_backbones(sets: list[Compared]) -> str:
    """The reason that can be read off the cells: the same probe on the backbone that ML.NET's head has."""
    cases = [
        (one.ours[recipe], one.ours[PROBE])
        for one in sets
        for recipe in _OTHER_BACKBONES
        if {recipe, PROBE} <= one.ours.keys() and _is_lower(one.ours[recipe], one.theirs)
    ]
    weaker = sum(_is_lower(cell, probe) for cell, probe in cases)
    if not weaker:
        return ""
    return (
        f" {' and '.join(_OTHER_BACKBONES)} are other backbones than the MobileNetV2 that ML.NET's head has here, and "
        f"weaker ones in {weaker} of these {len(cases)} cells: there the same probe is more accurate on MobileNetV2."
    )
