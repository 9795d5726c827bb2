"""docs/results.md: what was measured, in tables, and how it stands against ML.NET's head."""

from pathlib import Path

from bench.results_against import against
from bench.results_cells import Cell, Cells
from bench.results_sets import DATA_SETS, RECIPES, REMARKS, DataSet

_SHOWN = 3

_HEAD = """# Results

Written by `python -m bench.results DATASETS --weights mobilenet_v2.pth --squeezenet squeezenet1_1.pth`; do not edit
it by hand.

Means of nested cross-validations, 5 folds x 5 seeds unless the heading of a set says otherwise: whatever is chosen (L2
strength, epochs, temperature, with `--search` also features, views and head) is chosen anew inside each outer fold, by
folds inside its training pictures. Exact and near duplicates never straddle folds. In brackets the 95 % interval, which
allows for folds that share training pictures, and is never narrower than what so many groups of pictures can tell (of a
difference: than if as few groups as possible made it). Backbones are frozen; MobileNetV2 where none is named, with
weights that were put together from a quantised file and are not those that torchvision publishes. *Seconds* are
processor seconds of one whole fit on cached features with one thread, all choices included.
"""


def write_page(path: Path, cells: Cells) -> None:
    """Write the page; what is missing is left open."""
    measured = [one for one in DATA_SETS if not one.left_out]
    parts = [_head(measured, cells), _recipes(), _summary(measured, cells)]
    parts.append(against([one.name for one in measured], cells))
    parts += [_details(one, cells) for one in measured if any(data == one.name for data, _ in cells)]
    parts += [_left_out(), _machines(cells)]
    path.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def _head(data_sets: list[DataSet], cells: Cells) -> str:
    """With a word on dashes where there are any."""
    all_there = all((one.name, recipe) in cells for one in data_sets for recipe in RECIPES)
    return _HEAD if all_there else f"{_HEAD}A dash: not measured yet.\n"


def _recipes() -> str:
    rows = "".join(f"| {name} | {what} |\n" for name, what in RECIPES.items())
    return f"| Recipe | |\n| --- | --- |\n{rows}"


def _summary(data_sets: list[DataSet], cells: Cells) -> str:
    head = f"| Accuracy, % | {' | '.join(RECIPES)} |\n| --- |{' ---: |' * len(RECIPES)}\n"
    rows = ""
    for data_set in data_sets:
        found = [cells.get((data_set.name, recipe)) for recipe in RECIPES]
        most = max((cell.accuracy for cell in found if cell), default=0.0)
        shown = [_bold(f"{100 * cell.accuracy:.1f}", when=cell.accuracy == most) if cell else "-" for cell in found]
        rows += f"| {data_set.name} | {' | '.join(shown)} |\n"
    return f"## Accuracy\n\n{head}{rows}"


def _details(data_set: DataSet, cells: Cells) -> str:
    found = [cell for recipe in RECIPES if (cell := cells.get((data_set.name, recipe)))]
    one = found[0]
    folds = f"{one.folds} folds x {one.seeds} seed{'s' * (one.seeds != 1)}"
    text = f"## {data_set.name}\n\n{one.n:,} pictures, {one.labels} labels; {folds}.\n\n"
    text += "| Recipe | Accuracy, % | Log loss | Seconds |\n| --- | --- | --- | --- |\n"
    for cell in found:
        low, high = (100 * bound for bound in cell.interval)
        accuracy = f"{100 * cell.accuracy:.1f} [{low:.1f}, {high:.1f}]"
        text += f"| {cell.recipe}{_taken(cell)} | {accuracy} | {cell.log_loss:.3f} | {cell.seconds:.1f} |\n"
    return f"{text}\n{REMARKS[data_set.name]}\n" if data_set.name in REMARKS else text


def _taken(cell: Cell) -> str:
    """What was taken in the outer folds: the most frequent by name, the others by number."""
    if len(cell.taken) < 2:
        return f" ({next(iter(cell.taken))})" if cell.taken else ""
    shown = list(cell.taken.items())[:_SHOWN]
    others = sum(cell.taken.values()) - sum(count for _, count in shown)
    return f" ({'; '.join(f'{name}: {count} x' for name, count in shown)}{f'; others: {others} x' if others else ''})"


def _left_out() -> str:
    return "".join(f"Not measured: {one.name}, {one.left_out}.\n" for one in DATA_SETS if one.left_out)


def _machines(cells: Cells) -> str:
    machines = sorted({cell.machine for cell in cells.values()})
    return (
        f"Measured on {'; '.join(machines)}, while others worked on it: processor time, not the clock.\n"
        if machines
        else ""
    )


def _bold(text: str, *, when: bool) -> str:
    return f"**{text}**" if when else text
