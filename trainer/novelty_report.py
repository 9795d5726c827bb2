"""What novelty is worth on the data at hand: how it spreads, and whether it notices a class that it never saw."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.left_out import some_rows, turns
from trainer.mahalanobis import class_sums, fit_mahalanobis, unit_rows
from trainer.novelty import NoveltyFit
from trainer.rows import Rows, gather

_BINS = 30
_SMALLEST = 1e-12


@dataclass(frozen=True)
class LeftOut:
    """A class that was kept from a fit of the distances.

    Attributes:
        label: its class name.
        n: its pictures.
        auroc: how often one of them is further away than an unseen picture of the other classes, in [0, 1]; 0.5 is
            chance.
    """

    label: str
    n: int
    auroc: float


@dataclass(frozen=True)
class NoveltyReport:
    """Whether `unfamiliar` can be relied on.

    Attributes:
        unfamiliar: the threshold.
        share: of the training pictures, out of fold, that are above it: false alarms, in [0, 1].
        edges: of the histogram, in units of q95, shape (B + 1,).
        familiar: training pictures in each bin of distance, out of fold, shape (B,); the last bin has all beyond.
        foreign: pictures of classes that were left out, in each bin, shape (B,).
        left_out: each class that was left out once; at most six, spread over all of them. Empty for a single class.
        auroc: mean over `left_out`; None if there is none.
        noticed: share of the pictures of `left_out` that are above the threshold, in [0, 1]; None if there are none.
        labels: how many classes there are to leave out.
    """

    unfamiliar: float
    share: float
    edges: tuple[float, ...]
    familiar: tuple[int, ...]
    foreign: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    auroc: float | None
    noticed: float | None
    labels: int

    def as_json(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes, keys always in the same order."""
        return asdict(self)


def report_novelty(
    fit: NoveltyFit,
    features: Rows,
    targets: NDArray[np.int64],
    labels: Sequence[str],
    *,
    unfamiliar: float,
) -> NoveltyReport | None:
    """Leave classes out, one at a time, and see whether their pictures are further away than unseen ones of the others.

    A class that resembles the others is harder than anything that does not belong here at all, so this is a lower
    bound of what to expect. None without novelty.

    Args:
        fit: of the same rows.
        features, targets: as of `fit_novelty`; at most 2,000 rows are used.
        labels: K class names.
        unfamiliar: the threshold.
    """
    from trainer.sweep import torch_threads

    if fit.novelty is None:
        return None
    scale = fit.novelty.scale
    some = some_rows(len(features))
    with torch_threads(1):
        left_out, foreign = _leave_out(unit_rows(gather(features, some)), targets[some], fit.folds[some], labels)
    # A fit without a class has a spread and so a scale of its own: its median is where that of the published fit is.
    foreign = foreign * np.median(fit.distances)
    edges = np.linspace(0, 3, _BINS + 1)
    return NoveltyReport(
        unfamiliar=unfamiliar,
        share=float((scale.of(fit.distances) > unfamiliar).mean()),
        edges=tuple(edges.tolist()),
        familiar=_counts(fit.distances / scale.knots[-1], edges),
        foreign=_counts(foreign / scale.knots[-1], edges),
        left_out=left_out,
        auroc=float(np.mean([one.auroc for one in left_out])) if left_out else None,
        noticed=float((scale.of(foreign) > unfamiliar).mean()) if left_out else None,
        labels=len(np.unique(targets)),
    )


def _leave_out(
    rows: NDArray[np.float32],
    targets: NDArray[np.int64],
    fold_of: NDArray[np.int64],
    labels: Sequence[str],
) -> tuple[tuple[LeftOut, ...], NDArray[np.float32]]:
    """What came of each class, and the distances of all their pictures, in medians of those of familiar ones."""
    found, foreign, sums = [], [], class_sums(rows, targets, len(labels))
    for turn in turns(targets, fold_of):
        distances = fit_mahalanobis(rows, targets, unseen=turn.unseen, sums=sums).distances_of_units(rows)
        auroc = turn.auroc(distances)
        if auroc is not None:
            found.append(LeftOut(labels[turn.left], int(turn.own.sum()), auroc))
            foreign.append(distances[turn.own] / max(float(np.median(distances[turn.familiar])), _SMALLEST))
    return tuple(found), np.concatenate(foreign) if foreign else np.zeros(0, np.float32)


def _counts(distances: NDArray[np.floating], edges: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(np.histogram(np.minimum(distances, edges[-1]), edges)[0].tolist())
