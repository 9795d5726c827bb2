"""How long fits take that only compare recipes, counted before any is made: rows, columns, labels in, seconds out."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.recipe import HeadKind
from trainer.row_space_pays import pays

_SWEPT = 3.5e-8
"""Seconds for each row, column and label of a probe: its strengths on all folds."""

_PRODUCTS = {"probe": 3e-10, "prototype": 5e-10}
"""Seconds for each product of two rows, or of two columns where these are fewer, and of what they are summed over."""

_DESCENDED = 1.5e-8
"""Seconds for each row, column and unit of a perceptron, or row, column and label of an SGD head."""

_UNITS = 64


@dataclass(frozen=True)
class PlannedFit:
    """A fit that may be made.

    Attributes:
        head: its kind.
        columns: D.
        views: of each picture, beside the plain one.
    """

    head: HeadKind
    columns: int
    views: int = 0


def seconds_of(fit: PlannedFit, pictures: int, class_count: int) -> float:
    """Seconds of one core of the machine that it was measured on (decision 59); counted, so that it is always the same.

    Args:
        fit: that is made.
        pictures: N, that it learns from.
        class_count: K.
    """
    rows, columns = pictures * (1 + fit.views), fit.columns
    if fit.head in ("mlp", "sgd"):
        return _DESCENDED * rows * columns * (_UNITS if fit.head == "mlp" else class_count)
    seconds = 0.0
    if fit.head in ("probe", "blend"):
        within = rows if pays((rows, columns), class_count) else columns
        seconds += _SWEPT * rows * within * class_count + _PRODUCTS["probe"] * _products(rows, columns)
    if fit.head in ("prototype", "blend"):
        seconds += _PRODUCTS["prototype"] * _products(rows, columns)
    return seconds


def seconds_of_all(fits: Sequence[PlannedFit], pictures: int, class_count: int) -> float:
    """Of one after another."""
    return sum(seconds_of(fit, pictures, class_count) for fit in fits)


def _products(rows: int, columns: int) -> float:
    return float(rows) * columns * min(rows, columns)
