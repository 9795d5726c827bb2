"""Would more pictures help? The accuracy of heads that are fitted on an eighth, a quarter, half and all of them."""

import hashlib
import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.fold_mean import FoldMean, mean_over_folds
from trainer.folds import most_folds
from trainer.intervals import Interval, grouped_interval
from trainer.metrics import predicted_classes, sample_losses, softmax
from trainer.paired_intervals import paired_interval, paired_loss_interval
from trainer.split import make_folds

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)

_FOLDS = 5
_MOST_REPETITIONS = 5
_ENOUGH_WORK = 1.5e7  # samples x features x classes: about what a second of one core pays for
_WORSE_BY = 1.1


@dataclass(frozen=True)
class CurvePoint:
    """What heads that are fitted on so many samples do on others.

    Attributes:
        samples: that a head was fitted on, in the mean over the folds.
        accuracy: in [0, 1], mean over folds and repetitions.
        interval: 95 % interval of it, see `mean_over_folds`.
        log_loss: in nats.
    """

    samples: float
    accuracy: float
    interval: Interval
    log_loss: float


@dataclass(frozen=True)
class LearningCurve:
    """Points from few samples to many, and what the last step brought.

    Attributes:
        points: two at least.
        accuracy: how much it rose from the last but one point to the last, on the same held-out samples; see
            `paired_interval`.
        log_loss: how much it fell there, in nats; see `paired_loss_interval`.
        folds: of each repetition.
        repetitions: how often folds and subsets were drawn anew.
        drawn_from: how many pictures there are, where the curve is of a part of them; None where it is of all.
    """

    points: tuple[CurvePoint, ...]
    accuracy: FoldMean
    log_loss: FoldMean
    folds: int
    repetitions: int
    drawn_from: int | None = None


def learning_curve(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    class_count: int,
    l2: float,
    seed: int,
    threads: int,
) -> LearningCurve | None:
    """Cross-validated accuracy of linear probes on nested subsets of the groups.

    Of each fold's training groups, the first eighth, quarter and half of every class in a seeded order are taken, so
    that a larger subset holds the smaller ones; every head is measured on the whole fold that it was kept from. The
    strength is that of the full size times full size / size: a prior on the weights that does not change with the
    number of samples. (Swept anew at each size, the best strength moved so, or by a step of the sweep more.)

    Args:
        features: shape (N, D).
        targets: shape (N,), class indices, each of them present.
        groups: N group ids; those of one are never parted.
        class_count: K.
        l2: the strength at full size, such as `quick_strength` gives.
        seed: of folds and order.
        threads: CPU threads of the solver.

    Returns:
        None where a class has too few groups for folds, or for a smaller subset.
    """
    from trainer.sweep import torch_threads

    work = len(features) * features.shape[1] * class_count
    repetitions = int(max(1, min(_MOST_REPETITIONS, _ENOUGH_WORK // work)))
    folds = most_folds(targets, groups, _FOLDS, range(seed, seed + repetitions))
    if folds < 2:
        return None
    with torch_threads(threads):
        drawn = [_Drawn(features, targets, groups, class_count, folds, seed + turn) for turn in range(repetitions)]
        measured = [one.measure(l2) for one in drawn]
    if len(measured[0]) < 2:
        return None
    return _curve(list(zip(*measured, strict=True)), groups, folds=folds, class_count=class_count)


def quick_strength(swept: Sequence[tuple[float, float]], chosen: float) -> float:
    """The strongest strength whose cross-validated log loss is within a tenth of the lowest.

    It is found several times faster than the best one, and tells the same of how accuracy grows.

    Args:
        swept: (strength, log loss), at least `chosen` among them unless empty.
        chosen: the strength to fall back on.
    """
    lowest = min((loss for _, loss in swept), default=0.0)
    return max((strength for strength, loss in swept if loss <= _WORSE_BY * lowest), default=chosen)


def take_first(
    targets: NDArray[np.int64], groups: Sequence[str], allowed: NDArray[np.bool_], *, share: float, seed: int
) -> NDArray[np.bool_]:
    """The rows of the first groups of every class in a seeded order, shape (N,); a larger share holds a smaller one.

    Args:
        targets: shape (N,), class indices.
        groups: N group ids.
        allowed: shape (N,), the rows to take from: whole groups.
        share: of each class's groups, in (0, 1]; one at least is taken.
        seed: of the order.
    """
    of_class: dict[int, set[str]] = defaultdict(set)
    for row in np.flatnonzero(allowed).tolist():
        of_class[int(targets[row])].add(groups[row])
    taken: set[str] = set()
    for names in of_class.values():
        taken.update(sorted(names, key=lambda name: _position(name, seed))[: int(np.ceil(share * len(names)))])
    return np.logical_and(allowed, [group in taken for group in groups])


@dataclass(frozen=True)
class _Measured:
    """The heads of one size in one repetition, each on its fold.

    Attributes:
        samples: that a head was fitted on, mean of the folds.
        fold_of: shape (N,).
        right: shape (N,), whether the head that had not seen the sample was right.
        losses: shape (N,), what its answer cost, in nats.
    """

    samples: float
    fold_of: NDArray[np.int64]
    right: NDArray[np.bool_]
    losses: NDArray[np.float64]

    def by_fold(self, values: NDArray[np.float64]) -> list[float]:
        """The mean of values (N,) in each fold."""
        return list(map(float, np.bincount(self.fold_of, values) / np.bincount(self.fold_of)))


@dataclass(frozen=True)
class _Drawn:
    """One drawing of folds, and of the subsets inside them."""

    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    groups: Sequence[str]
    class_count: int
    folds: int
    seed: int

    def measure(self, l2: float) -> list[_Measured]:
        """For each size, the heads of all folds."""
        from trainer.subset_fits import fit_subsets

        fold_of = make_folds(self.targets, self.groups, self.folds, self.seed)
        growing = self._growing(fold_of)
        sizes = [float(members.sum(axis=0).mean()) for members in growing]
        logits = fit_subsets(
            self.features,
            self.targets,
            growing,
            strengths=[l2 * sizes[-1] / size for size in sizes],
            class_count=self.class_count,
        )
        return [self._held_out(of_step, size, fold_of) for of_step, size in zip(logits, sizes, strict=True)]

    def _growing(self, fold_of: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
        """Members (N, folds) for each share, without those that take as many as the next."""
        every = [
            np.stack(
                [
                    take_first(self.targets, self.groups, fold_of != fold, share=share, seed=self.seed)
                    for fold in range(self.folds)
                ],
                axis=1,
            )
            for share in SHARES
        ]
        grows = [bool((fewer != more).any()) for fewer, more in itertools.pairwise(every)]
        return [one for one, kept in zip(every, [*grows, True], strict=True) if kept]

    def _held_out(self, logits: NDArray[np.float32], samples: float, fold_of: NDArray[np.int64]) -> _Measured:
        probabilities = softmax(logits[np.arange(len(fold_of)), fold_of])
        right = predicted_classes(probabilities) == self.targets
        return _Measured(samples, fold_of, right, sample_losses(probabilities, self.targets))


def _curve(
    of_sizes: Sequence[Sequence[_Measured]], groups: Sequence[str], *, folds: int, class_count: int
) -> LearningCurve:
    pairs = list(zip(*of_sizes[-2:], strict=True))
    rises = [most.right.astype(np.float64) - fewer.right for fewer, most in pairs]
    falls = [fewer.losses - most.losses for fewer, most in pairs]
    of_folds = [
        [value for (_, most), change in zip(pairs, changes, strict=True) for value in most.by_fold(change)]
        for changes in (rises, falls)
    ]
    return LearningCurve(
        points=tuple(_point(of_size, groups, folds) for of_size in of_sizes),
        accuracy=mean_over_folds(
            of_folds[0],
            folds=folds,
            pooled=[paired_interval(fewer.right, most.right, groups) for fewer, most in pairs],
            least=-1.0,
        ),
        log_loss=mean_over_folds(
            of_folds[1],
            folds=folds,
            pooled=[paired_loss_interval(fall, groups, math.log(class_count)) for fall in falls],
            least=-math.inf,
            most=math.inf,
        ),
        folds=folds,
        repetitions=len(pairs),
    )


def _point(of_size: Sequence[_Measured], groups: Sequence[str], folds: int) -> CurvePoint:
    accuracy = mean_over_folds(
        [share for one in of_size for share in one.by_fold(one.right.astype(np.float64))],
        folds=folds,
        pooled=[grouped_interval(one.right, groups) for one in of_size],
    )
    return CurvePoint(
        samples=float(np.mean([one.samples for one in of_size])),
        accuracy=accuracy.mean,
        interval=accuracy.interval,
        log_loss=float(np.mean([one.losses.mean() for one in of_size])),
    )


def _position(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"curve:{seed}:{group}".encode()).digest()
