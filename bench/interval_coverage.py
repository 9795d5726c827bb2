"""How often the intervals of macro accuracy, macro F1 and log loss hold the true number: simulated.

    python -m bench.interval_coverage [--draws 400]

Heads of three strengths and two or five classes, evenly or unevenly frequent (1, 1/2, 1/3, ...); the first class is
easier than the last. Groups hold one sample, or five that are wholly or half alike. The true numbers are those of a
million samples. Prints, for each number of groups, the mean and the lowest coverage over these cases, and the widths.
"""

import argparse
import itertools
import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.jackknife import macro_intervals
from trainer.metrics import log_loss, macro_accuracy, macro_f1

GROUPS = (5, 10, 30, 100)
NAMES = ("macro_accuracy", "macro_f1", "log_loss")
_TRUE_SAMPLES = 1_000_000
_DEVIATION = 2.0  # of the logit of the true class, from picture to picture


@dataclass(frozen=True)
class Case:
    """A kind of head on a kind of data: `alike` is the share of a logit's variance that a group has in common."""

    classes: int
    even: bool
    strength: float
    size: int
    alike: float


Answers = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def cases() -> list[Case]:
    """All that are looked at."""
    kinds = ((2, True), (5, True), (5, False))
    groups = ((1, 0.0), (5, 1.0), (5, 0.5))
    return [Case(*kind, strength, *group) for kind, strength, group in itertools.product(kinds, (1.5, 3, 5), groups)]


def draw(case: Case, groups: int, random: np.random.Generator) -> Answers:
    """Probabilities, targets and group numbers; the samples of a group are of one class."""
    weight = np.ones(case.classes) if case.even else 1 / np.arange(1, case.classes + 1)
    group = np.repeat(np.arange(groups), case.size)
    targets = random.choice(case.classes, groups, p=weight / weight.sum())[group]
    shared, own = random.normal(size=groups)[group], random.normal(size=len(group))
    ease = case.strength * np.linspace(1.4, 0.6, case.classes)[targets]
    logit = ease + _DEVIATION * (math.sqrt(case.alike) * shared + math.sqrt(1 - case.alike) * own)
    rivals = (targets + random.integers(1, case.classes, len(group))) % case.classes
    probabilities, rows, right = np.zeros((len(group), case.classes)), np.arange(len(group)), 1 / (1 + np.exp(-logit))
    probabilities[rows, targets], probabilities[rows, rivals] = right, 1 - right
    return probabilities, targets, group


def truth(case: Case, random: np.random.Generator) -> tuple[float, float, float]:
    """Macro accuracy, macro F1 and log loss of very many samples."""
    single = Case(case.classes, case.even, case.strength, 1, 0.0)
    probabilities, targets, _ = draw(single, _TRUE_SAMPLES, random)
    return (
        macro_accuracy(probabilities, targets),
        macro_f1(probabilities, targets),
        log_loss(probabilities, targets),
    )


def main() -> None:
    """Print one line for each number of groups and each of the three numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400, help="of each case and number of groups")
    draws, random = parser.parse_args().draws, np.random.default_rng(0)
    coverage, width = defaultdict[tuple[int, str], list[float]](list), defaultdict[tuple[int, str], list[float]](list)
    for case in cases():
        true = truth(case, random)
        for groups in GROUPS:
            found = [macro_intervals(*draw(case, groups, random)) for _ in range(draws)]
            for name, value in zip(NAMES, true, strict=True):
                bounds = np.array([getattr(one, name) for one in found])
                coverage[groups, name].append(float(((bounds[:, 0] <= value) & (value <= bounds[:, 1])).mean()))
                width[groups, name].append(float(np.median(bounds[:, 1] - bounds[:, 0])))
    for (groups, name), held in coverage.items():
        wide = np.median(width[groups, name])
        print(f"{groups:>4} groups  {name:<15} mean {np.mean(held):.3f}  lowest {min(held):.3f}  width {wide:.2f}")


if __name__ == "__main__":
    main()
