"""Would more pictures help? The accuracy of heads that are fitted on an eighth, a quarter, half and all of them."""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.folds import most_folds
from trainer.intervals import Interval, repeated_folds_interval
from trainer.metrics import predicted_classes, sample_losses, softmax
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
        interval: 95 % interval of it, see `repeated_folds_interval`.
        log_loss: in nats.
    """

    samples: float
    accuracy: float
    interval: Interval
    log_loss: float


@dataclass(frozen=True)
class Gain:
    """By how much a number changed from the last but one point to the last, measured on the same held-out samples."""

    mean: float
    interval: Interval


@dataclass(frozen=True)
class LearningCurve:
    """Points from few samples to many, and what the last step brought.

    Attributes:
        points: two at least.
        accuracy: how much it rose at the last step.
        log_loss: how much it fell there, in nats.
        folds: of each repetition.
        repetitions: how often folds and subsets were drawn anew.
    """

    points: tuple[CurvePoint, ...]
    accuracy: Gain
    log_loss: Gain
    folds: int
    repetitions: int


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
    measured: list[list[_Measured]] = []
    with torch_threads(threads):
        for repetition in range(repetitions):
            drawn = _Drawn(features, targets, groups, class_count, folds, seed + repetition)
            measured += drawn.measure(l2)
    if len(measured[0]) < 2:
        return None
    return _curve(list(zip(*measured, strict=True)), folds=folds, repetitions=repetitions)


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
    """One head on its fold."""

    samples: int
    accuracy: float
    log_loss: float


@dataclass(frozen=True)
class _Drawn:
    """One drawing of folds, and of the subsets inside them."""

    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    groups: Sequence[str]
    class_count: int
    folds: int
    seed: int

    def measure(self, l2: float) -> list[list[_Measured]]:
        """For each fold, the heads of all sizes."""
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
        steps = list(zip(logits, growing, strict=True))
        return [
            [self._held_out(of_step[:, fold], members[:, fold], fold_of == fold) for of_step, members in steps]
            for fold in range(self.folds)
        ]

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

    def _held_out(self, logits: NDArray[np.float32], members: NDArray[np.bool_], held: NDArray[np.bool_]) -> _Measured:
        probabilities, targets = softmax(logits[held]), self.targets[held]
        right = predicted_classes(probabilities) == targets
        return _Measured(int(members.sum()), float(right.mean()), float(sample_losses(probabilities, targets).mean()))


def _curve(of_sizes: Sequence[Sequence[_Measured]], *, folds: int, repetitions: int) -> LearningCurve:
    before, last = of_sizes[-2:]
    pairs = list(zip(before, last, strict=True))
    return LearningCurve(
        points=tuple(_point(of_size, folds) for of_size in of_sizes),
        accuracy=_gain([most.accuracy - fewer.accuracy for fewer, most in pairs], folds),
        log_loss=_gain([fewer.log_loss - most.log_loss for fewer, most in pairs], folds),
        folds=folds,
        repetitions=repetitions,
    )


def _point(of_size: Sequence[_Measured], folds: int) -> CurvePoint:
    accuracies = [one.accuracy for one in of_size]
    low, high = repeated_folds_interval(accuracies, folds=folds)
    return CurvePoint(
        samples=float(np.mean([one.samples for one in of_size])),
        accuracy=float(np.mean(accuracies)),
        interval=(max(0.0, low), min(1.0, high)),
        log_loss=float(np.mean([one.log_loss for one in of_size])),
    )


def _gain(values: Sequence[float], folds: int) -> Gain:
    return Gain(float(np.mean(values)), repeated_folds_interval(values, folds=folds))


def _position(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"curve:{seed}:{group}".encode()).digest()
