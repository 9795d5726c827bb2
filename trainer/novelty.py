"""Novelty: how unlike the training pictures a picture is, from 0 to 1, comparable between models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.mahalanobis import Mahalanobis, class_sums, fit_mahalanobis, unit_rows
from trainer.rows import Rows, each, take
from trainer.split import make_folds

FEWEST_PICTURES = 100
"""With fewer, the far end of the distances is guesswork."""

FEWEST_OF_A_CLASS = 5
"""In at least two groups: pictures of a smaller class say nothing of how far unseen pictures of their kind are."""

FOLDS = 5
_LEVELS = np.arange(1, 96) / 100
TAIL = 0.05
_CLOSEST = 1e-4  # of a distance: nearer knots are one


@dataclass(frozen=True)
class NoveltyScale:
    """From distances to novelty: the empirical distribution up to its 95th percentile, an exponential beyond.

    Novelty is 0 at distance 0, and rises in straight lines through `levels` at `knots`; beyond q95, the last knot, it
    is 1 - 0.05 exp(-(d - q95) / (q99 - q95)). It rises everywhere; one in a hundred unseen pictures of the same kind
    is above 0.98.

    Attributes:
        knots: distances, shape (J,), rising; the last is q95.
        levels: novelty at the knots, shape (J,), rising from above 0 to 0.95.
        tail: q99 - q95.
    """

    knots: NDArray[np.float32]
    levels: NDArray[np.float32]
    tail: float

    def of(self, distances: NDArray[np.float32]) -> NDArray[np.float32]:
        """Novelty, shape (N,), in [0, 1]."""
        body = np.interp(distances, [0.0, *self.knots], [0.0, *self.levels])
        beyond = np.maximum(distances - self.knots[-1], 0) / self.tail
        return np.asarray(body + TAIL * -np.expm1(-beyond), dtype=np.float32)


@dataclass(frozen=True)
class Novelty:
    """What the served graph needs to tell the novelty of features.

    Attributes:
        near: the distance to what was learned from.
        scale: what a distance means.
    """

    near: Mahalanobis
    scale: NoveltyScale

    def of(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Novelty, shape (N,), of features (N, D)."""
        return self.scale.of(self.near.distances(features))


@dataclass(frozen=True)
class NoveltyFit:
    """A fitted novelty and how it came about.

    Attributes:
        novelty: of all rows; None where there is none.
        reason: why there is none; "" where there is.
        distances: out of fold, shape (M,): of each row whose class has enough pictures (`FEWEST_OF_A_CLASS`), where its
            group was not known; (0,) where there is none.
        folds: the fold that each row was held out in, shape (N,); (0,) where there is none.
        measured: which rows `distances` are of, shape (M,), rising; (0,) where there is none.
    """

    novelty: Novelty | None
    reason: str
    distances: NDArray[np.float32]
    folds: NDArray[np.int64]
    measured: NDArray[np.int64]


def fit_novelty(features: Rows, targets: NDArray[np.int64], groups: Sequence[str], *, seed: int) -> NoveltyFit:
    """Learn what is familiar. Means and covariance are fitted inside each fold for the distances of its rows.

    On one thread: it is little work, and so the result is the same whatever `--threads` says.

    Args:
        features: shape (N, D), plain rows of what the head is fitted on, by the graph that is served.
        targets: shape (N,), class indices.
        groups: N group ids; the distance of a row is measured without its group.
        seed: of the folds.
    """
    nothing = (np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    if len(features) < FEWEST_PICTURES:
        reason = f"{len(features)} training pictures; novelty needs {FEWEST_PICTURES} to tell what is familiar"
        return NoveltyFit(None, reason, *nothing)
    if len(set(groups)) < FOLDS:
        reason = f"{len(set(groups))} groups of training pictures; novelty needs {FOLDS} to tell what is familiar"
        return NoveltyFit(None, reason, *nothing)
    usable = _usable(targets, groups)
    if usable.sum() < FEWEST_PICTURES:
        reason = (
            f"{usable.sum()} training pictures of labels with at least {FEWEST_OF_A_CLASS} pictures in 2 groups; "
            f"novelty needs {FEWEST_PICTURES} to tell what is familiar"
        )
        return NoveltyFit(None, reason, *nothing)
    from trainer.sweep import torch_threads

    rows, fold_of = each(features, unit_rows), make_folds(targets, groups, FOLDS, seed)
    with torch_threads(1):
        distances = _out_of_fold(rows, targets, fold_of)[usable]
        near = fit_mahalanobis(rows, targets)
    return NoveltyFit(Novelty(near, fit_scale(distances)), "", distances, fold_of, np.flatnonzero(usable))


def fit_scale(distances: NDArray[np.float32]) -> NoveltyScale:
    """The scale on which these distances, shape (N,), of familiar pictures are spread evenly up to 0.95."""
    knots = np.maximum(np.quantile(distances.astype(np.float64), _LEVELS), _CLOSEST)
    apart = np.append(knots[1:] > knots[:-1] * (1 + _CLOSEST), True)  # of equal ones the last, which is the highest
    tail = max(float(np.quantile(distances, 0.99) - knots[-1]), _CLOSEST * float(knots[-1]))
    return NoveltyScale(knots[apart].astype(np.float32), _LEVELS[apart].astype(np.float32), tail)


def _out_of_fold(rows: Rows, targets: NDArray[np.int64], fold_of: NDArray[np.int64]) -> NDArray[np.float32]:
    distances, sums = np.zeros(len(rows), np.float32), class_sums(rows, targets, int(targets.max()) + 1)
    for fold in range(FOLDS):
        own = fold_of == fold
        near = fit_mahalanobis(rows, targets, unseen=own, sums=sums)
        distances[own] = near.distances_of_units(take(rows, np.flatnonzero(own)))
    return distances


def _usable(targets: NDArray[np.int64], groups: Sequence[str]) -> NDArray[np.bool_]:
    """Rows (N,) whose class has a mean worth the name where their group is held out."""
    class_count = int(targets.max()) + 1
    pairs = sorted(set(zip(targets.tolist(), groups, strict=True)))
    groups_of = np.bincount([target for target, _ in pairs], minlength=class_count)
    pictures_of = np.bincount(targets, minlength=class_count)
    return ((pictures_of >= FEWEST_OF_A_CLASS) & (groups_of >= 2))[targets]
