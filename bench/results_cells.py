"""One cell of docs/results.md: what a recipe does on a data set; kept line by line, so that a run can go on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from trainer.fold_mean import mean_over_folds
from trainer.intervals import Interval, wilson_of_share
from trainer.paired_intervals import interval_of_changes


@dataclass(frozen=True)
class Cell:
    """What was measured.

    Attributes:
        data, recipe: names.
        n, labels, groups: how many samples, labels and groups of samples.
        folds, seeds: of the nested cross-validation.
        accuracies, log_losses: one number for each seed and fold, in this order.
        seconds: processor seconds of one whole fit on features that are there, all choices included: a mean.
        taken: how often each recipe was taken, where there was something to choose.
        rows: fingerprint of samples and groups: cells of equal ones have the same folds and can be compared fold by
            fold.
        machine: where the seconds were measured.
    """

    data: str
    recipe: str
    n: int
    labels: int
    groups: int
    folds: int
    seeds: int
    accuracies: tuple[float, ...]
    log_losses: tuple[float, ...]
    seconds: float
    taken: dict[str, int]
    rows: str
    machine: str

    @property
    def accuracy(self) -> float:
        """Mean over folds and seeds."""
        return float(np.mean(self.accuracies))

    @property
    def interval(self) -> Interval:
        """95 %, of the accuracy."""
        return interval_of(self.accuracies, folds=self.folds, groups=self.groups)

    @property
    def log_loss(self) -> float:
        """Mean over folds and seeds, in nats."""
        return float(np.mean(self.log_losses))


Cells = Mapping[tuple[str, str], Cell]
"""By data set and recipe."""


def read_cells(path: Path) -> dict[tuple[str, str], Cell]:
    """By data set and recipe; of two measurements the later one. A line that was cut off is passed over."""
    if not path.exists():
        return {}
    cells = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        lists = {name: tuple(values[name]) for name in ("accuracies", "log_losses")}
        cell = Cell(**(values | lists))
        cells[cell.data, cell.recipe] = cell
    return cells


def add_cell(path: Path, cell: Cell) -> None:
    """Write one more line; one that was cut off before it is ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_off = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut_off + json.dumps(asdict(cell)) + "\n")


def interval_of(accuracies: Sequence[float], *, folds: int, groups: int) -> Interval:
    """95 % interval of their mean: the wider of that over folds and that of all samples together (`mean_over_folds`).

    A cell keeps accuracies alone, not who was right, so each group of samples counts as one for the latter, and the
    folds as equally large.

    Args:
        accuracies: one for each fold of each seed.
        folds: of each seed.
        groups: of samples.
    """
    pooled = [wilson_of_share(share, groups) for share in _by_seed(accuracies, folds)]
    return mean_over_folds(accuracies, folds=folds, pooled=pooled).interval


def _by_seed(values: Sequence[float], folds: int) -> list[float]:
    return [float(np.mean(values[first : first + folds])) for first in range(0, len(values), folds)]


def paired_difference(one: Cell, other: Cell) -> tuple[float, Interval]:
    """Accuracy of one above that of the other, with its 95 % interval; fold by fold where the folds are the same.

    The interval is the wider of that over folds and that of as few changed groups as make the difference: which ones
    are better and which worse is not kept. Where folds differ, it is that of two independent means, which is wider.
    """
    mean = one.accuracy - other.accuracy
    if one.rows == other.rows and one.folds == other.folds:
        count = min(len(one.accuracies), len(other.accuracies))
        differences = np.subtract(one.accuracies[:count], other.accuracies[:count])
        changed = [share * one.groups for share in _by_seed(differences.tolist(), one.folds)]
        pooled = [interval_of_changes(max(net, 0.0), max(-net, 0.0), one.groups) for net in changed]
        found = mean_over_folds(differences.tolist(), folds=one.folds, pooled=pooled, least=-1.0)
        return found.mean, found.interval
    half = float(np.hypot(_half_width(one), _half_width(other)))
    return mean, (mean - half, mean + half)


def _half_width(cell: Cell) -> float:
    low, high = cell.interval
    return max(cell.accuracy - low, high - cell.accuracy)


def counts(names: Sequence[str]) -> dict[str, int]:
    """How often each, the most frequent first."""
    return dict(sorted(((name, names.count(name)) for name in set(names)), key=lambda item: (-item[1], item[0])))
