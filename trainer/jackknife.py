"""Intervals of numbers that are no share of samples: how much each changes where one group is left out."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.intervals import Z_95, Interval, effective_samples, students_t_95, wilson_of_share
from trainer.metrics import SMALLEST_PROBABILITY, Probabilities, predicted_classes, sample_losses

_MOST_LOSS = -math.log(SMALLEST_PROBABILITY)


@dataclass(frozen=True)
class MacroIntervals:
    """95 % intervals of the numbers that count every class alike, and of the log loss."""

    macro_accuracy: Interval
    macro_f1: Interval
    log_loss: Interval


def macro_intervals(
    probabilities: Probabilities, targets: NDArray[np.int64], groups: NDArray[np.int64]
) -> MacroIntervals:
    """How far the numbers may be from those of other samples like these; see docs/decisions/0034.

    The variance of the macro numbers is the jackknife's over groups; Wilson's interval is taken for as many samples as
    would have that variance. There are never more of them than the samples are worth by what is known before any is
    looked at: the size of the classes, and how alike the pictures of a group are. So the interval has a width also
    where all are right.

    Args:
        probabilities: shape (N, K), N at least 1.
        targets: shape (N,), class indices.
        groups: shape (N,), group numbers.

    Source: B. Efron and C. Stein, The jackknife estimate of variance, Annals of Statistics 9 (1981).
    """
    _, group = np.unique(groups, return_inverse=True)
    predicted = predicted_classes(probabilities)
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    worth, degrees = effective_samples(predicted == targets, group)
    even = _even_samples(counts) / len(targets) * worth
    without = without_each_group(targets, predicted, group, probabilities.shape[1])
    whole = _macro(counts, *_right_and_called(targets, predicted, len(counts)))
    macro = [_interval_of_mean(value, left_out, even, degrees) for value, left_out in zip(whole, without, strict=True)]
    losses = sample_losses(probabilities, targets)
    return MacroIntervals(macro[0], macro[1], loss_interval(losses, group, math.log(len(counts))))


def loss_interval(losses: NDArray[np.float64], groups: NDArray[np.int64], guessing: float) -> Interval:
    """95 % interval of a mean of losses that are never below 0, such as the log loss, in their unit.

    On the scale of its logarithm, as losses are skewed: few are large, and what has not shown yet is mostly a large
    one. One further group is therefore allowed for, on which the head does no better than guessing.

    Args:
        losses: shape (N,), N at least 1.
        groups: shape (N,), group numbers.
        guessing: the loss of an answer that is guessed.
    """
    _, group = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(group, losses), np.bincount(group).astype(np.float64)
    count, mean = len(sums), float(losses.mean())
    sums, sizes = np.append(sums, guessing * sizes.mean()), np.append(sizes, sizes.mean())
    with_one_more = float(sums.sum() / sizes.sum())
    spread = math.sqrt((count + 1) / count * float(np.square(sums - sizes * with_one_more).sum())) / float(sizes.sum())
    # Where no group differs from another, one of them is what the mean may still be off by.
    doubt = max(spread / with_one_more, 1 / (count + 1)) if with_one_more > 0 else 0.0
    factor = math.exp(students_t_95(max(1, _effective_groups(sizes[:-1]) - 1)) * doubt)
    return mean / factor, min(max(with_one_more, mean) * factor, _MOST_LOSS)


def _interval_of_mean(value: float, left_out: NDArray[np.float64], even: float, degrees: int) -> Interval:
    """Wilson's, for as many samples as have the jackknife's variance; for `even` samples at most."""
    variance = (len(left_out) - 1) / len(left_out) * float(np.square(left_out - left_out.mean()).sum())
    alike = variance < 1e-12 or len(left_out) == 1
    seen = math.inf if alike else value * (1 - value) / variance * (Z_95 / students_t_95(degrees)) ** 2
    return wilson_of_share(value, max(min(seen, even), SMALLEST_PROBABILITY))


def _even_samples(counts: NDArray[np.int64]) -> float:
    """How many samples in equal classes would tell the mean over classes as well as classes of these sizes."""
    there = counts[counts > 0]
    return float(len(there) ** 2 / (1 / there).sum())


def _effective_groups(sizes: NDArray[np.float64]) -> int:
    return int(sizes.sum() ** 2 / np.square(sizes).sum() + 1e-9)


def _right_and_called(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], class_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    right = np.bincount(targets[predicted == targets], minlength=class_count)
    return right, np.bincount(predicted, minlength=class_count)


def _macro(counts: NDArray[np.int64], right: NDArray[np.int64], called: NDArray[np.int64]) -> tuple[float, float]:
    accuracy, there = _share(right, counts)
    f1, known = _share(2 * right, counts + called)
    return float(accuracy.sum() / there.sum()), float(f1.sum() / known.sum())


def without_each_group(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], group: NDArray[np.int64], class_count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Macro accuracy and macro F1 without each of the G groups, each of shape (G,).

    Only classes that a group has something to do with change; so it takes as long as there are samples.

    Args:
        targets, predicted: shape (N,), class indices.
        group: shape (N,), in [0, G).
        class_count: K.
    """
    counts = np.bincount(targets, minlength=class_count)
    right, called = _right_and_called(targets, predicted, class_count)
    cells, place = np.unique(
        np.concatenate([group * class_count + targets, group * class_count + predicted]), return_inverse=True
    )
    own, k = cells // class_count, cells % class_count
    of_actual, of_called = place[: len(targets)], place[len(targets) :]
    actual, say = np.bincount(of_actual, minlength=len(cells)), np.bincount(of_called, minlength=len(cells))
    hits = np.bincount(of_actual[predicted == targets], minlength=len(cells))
    found = []
    for times, whole_of, own_of in ((1, counts, actual), (2, counts + called, actual + say)):
        before, there = _share(times * right, whole_of)
        after, still = _share(times * (right[k] - hits), whole_of[k] - own_of)
        total = before.sum() + np.bincount(own, after - before[k])
        number = there.sum() + np.bincount(own, still.astype(np.float64) - there[k])
        found.append(total / np.maximum(number, 1))
    return found[0], found[1]


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Part by whole, 0 where there is no whole; and where there is one."""
    return part / np.maximum(whole, 1), whole > 0
