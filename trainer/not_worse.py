"""`--not-worse`: a new model beside the current one, on the pictures that both held out when they were measured."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.bundle import read_bundle
from shared.errors import BundleError, ModelMissing
from shared.publish import read_current
from trainer.errors.gates import CurrentUnreadable, NothingInCommon, WorseThanCurrent
from trainer.held_out import held_out_answers
from trainer.progress import Progress
from trainer.split_file import read_held_out_predictions
from trainer.training import Measured, Training

_UNLIKELY = 0.05
_FEWEST_GROUPS = 5  # that show anything: were all of 4 worse, fair coins would do so in 1 of 16 cases


@dataclass(frozen=True)
class Current:
    """The version that is served, as far as a new one is compared with it.

    Attributes:
        version: its name.
        labels: that it knows.
        predicted: label that it gave to each picture that it held out, by digest; at least one.
    """

    version: str
    labels: tuple[str, ...]
    predicted: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a head said of a picture that it had not seen.

    Attributes:
        digest: SHA-256 of the picture's bytes.
        label: that the picture has today.
        predicted: that the head gave to it.
        group: pictures of one are right together and wrong together.
    """

    digest: str
    label: str
    predicted: str
    group: str


@dataclass(frozen=True)
class Comparison:
    """Two heads on the same pictures.

    Attributes:
        version: of the bundle that is current.
        n: pictures that both held out.
        groups: that they are in.
        unknown: further such pictures, left out because the current model does not know their label.
        right, right_before: how many of the n are labelled right now, and by the current model.
        gained, lost: how many are right only now, and only before.
        better, worse: groups that have more of the former, and more of the latter; each picture is one without groups.
        chance: how often at least so many of these groups would be worse if neither model were better, in [0, 1].
    """

    version: str
    n: int
    groups: int
    unknown: int
    right: int
    right_before: int
    gained: int
    lost: int
    better: int
    worse: int
    chance: float

    def as_json(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes."""
        return asdict(self)

    @property
    def text(self) -> str:
        """The numbers, a part of a sentence."""
        left_out = f" ({self.unknown} more have a label that it does not know)" if self.unknown else ""
        grouped = self.better + self.worse < self.gained + self.lost
        groups = f", in groups {self.better} better and {self.worse} worse" if grouped else ""
        return (
            f"of {self.n} pictures that this run and the current version {self.version} both held out{left_out}, "
            f"{self.right} are right, before {self.right_before}: {self.gained} only now, {self.lost} only before"
            f"{groups} (exact McNemar test: as bad by chance in {_percent(self.chance)})"
        )


def read_comparable(model: Path) -> Current | None:
    """The current version of a model, for a new one to be compared with; None where none is current.

    Costs little, so that it can be asked before any work is done, too.

    Raises:
        CurrentUnreadable: the version that `current` names is gone or damaged, or it names none.
        NothingInCommon: the current version does not say what it took its held-out pictures for.
    """
    try:
        version = read_current(model)
    except ModelMissing:
        return None
    except BundleError as error:
        raise CurrentUnreadable(str(error)) from error
    try:
        bundle = read_bundle(model / version)
        predicted = read_held_out_predictions(bundle.path)
    except BundleError as error:
        raise CurrentUnreadable(str(error)) from error
    if not predicted:
        raise NothingInCommon(version, held_out_before=0)
    return Current(version, tuple(bundle.metadata.labels), predicted)


def check_not_worse(training: Training, measured: Measured, model: Path, progress: Progress) -> Comparison | None:
    """The new model is not shown to be worse than the current one.

    Args:
        training: what was learned from.
        measured: its answers to the test split, or else to pictures in folds held out.
        model: the folder of the model's versions; where none is current, there is nothing to be worse than.
        progress: told of the numbers.

    Returns:
        The numbers; None where no version is current.

    Raises:
        WorseThanCurrent: it is, and chance explains that in less than 5 % of cases.
        NothingInCommon: fewer than 5 groups of pictures had been seen by neither, so that no loss could be told.
        CurrentUnreadable: the current bundle is gone or damaged.
    """
    current = read_comparable(model)
    if current is None:
        progress.say("Not worse: no version is current yet.")
        return None
    answers = _answers(training, measured)
    found = compare_answers(answers, current.predicted, known=current.labels, version=current.version)
    if found.groups < _FEWEST_GROUPS:
        raise NothingInCommon(
            current.version,
            held_out_before=len(current.predicted),
            held_out=len(answers),
            unknown=found.unknown,
            n=found.n,
            groups=found.groups,
        )
    if found.chance < _UNLIKELY and found.worse > found.better:
        raise WorseThanCurrent(found.text)
    progress.say(f"Not shown to be worse: {found.text}.", **found.as_json())
    return found


def compare_answers(
    answers: Sequence[Answer], before: Mapping[str, str], *, known: Sequence[str], version: str
) -> Comparison:
    """Count where a new head and an earlier one differ.

    A group is better if more of its pictures are right only now than only before, and worse the other way round, so
    that twenty copies of a picture are not twenty witnesses.

    Args:
        answers: of the new head.
        before: label that the earlier head gave, by digest.
        known: labels of the earlier head; pictures of another one are left out, it could not be right.
        version: of the earlier one.

    Source: Q. McNemar, Note on the sampling error of the difference between correlated proportions or percentages,
    Psychometrika 12 (1947); exact and one-sided, over groups.
    """
    both = [answer for answer in answers if answer.digest in before]
    judged = [answer for answer in both if answer.label in known]
    now = [answer.predicted == answer.label for answer in judged]
    then = [before[answer.digest] == answer.label for answer in judged]
    change: Counter[str] = Counter()
    for answer, right, was_right in zip(judged, now, then, strict=True):
        change[answer.group] += int(right) - int(was_right)
    better, worse = sum(value > 0 for value in change.values()), sum(value < 0 for value in change.values())
    return Comparison(
        version=version,
        n=len(judged),
        groups=len({answer.group for answer in judged}),
        unknown=len(both) - len(judged),
        right=sum(now),
        right_before=sum(then),
        gained=sum(right and not was_right for right, was_right in zip(now, then, strict=True)),
        lost=sum(was_right and not right for right, was_right in zip(now, then, strict=True)),
        better=better,
        worse=worse,
        chance=at_least_by_chance(worse, better + worse),
    )


def at_least_by_chance(heads: int, tosses: int) -> float:
    """How often `tosses` throws of a fair coin show `heads` or more, in [0, 1]; 1 without a throw.

    Raises:
        ValueError: not 0 <= heads <= tosses.
    """
    if not 0 <= heads <= tosses:
        raise ValueError(f"{heads} of {tosses}")
    logarithms = [
        math.lgamma(tosses + 1) - math.lgamma(k + 1) - math.lgamma(tosses - k + 1) - tosses * math.log(2)
        for k in range(heads, tosses + 1)
    ]
    return min(1.0, math.fsum(np.exp(logarithms).tolist()))


def _percent(chance: float) -> str:
    return "less than 0.1 %" if chance < 0.001 else f"{100 * chance:.1f} %"


def _answers(training: Training, measured: Measured) -> list[Answer]:
    held_out = held_out_answers(training, measured)
    if held_out is None:
        return []
    return [
        Answer(training.samples[row].digest, training.samples[row].label, training.labels[k], training.groups[row])
        for row, k in zip(held_out.rows.tolist(), held_out.predicted.tolist(), strict=True)
    ]
