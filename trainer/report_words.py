"""Numbers in words, for the report and the card."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.evaluation import Evaluation
from trainer.intervals import Interval


@dataclass(frozen=True)
class MixUp:
    """How often samples of one label were taken for another, and out of how many."""

    actual: str
    predicted: str
    count: int
    of: int


def percent(share: float | None) -> str:
    """A share in [0, 1] as per cent with one digit, such as "96.2 %"; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"


def percent_range(interval: Interval) -> str:
    """An interval of shares, such as "90.2 to 98.4 %"."""
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def number(value: float | None) -> str:
    """A number with three digits after the point; a dash for None."""
    return "–" if value is None else f"{value:.3f}"


def right_of(evaluation: Evaluation) -> int:
    """How many samples were labelled right."""
    return sum(row[k] for k, row in enumerate(evaluation.confusion))


def guessing_accuracy(evaluation: Evaluation) -> float:
    """The accuracy of always answering the most frequent label of the measured samples, in [0, 1]."""
    return max(one.n for one in evaluation.per_class) / evaluation.n


def typical_score(evaluation: Evaluation) -> float:
    """The geometric mean of the scores given to the true labels: exp(-log loss), in [0, 1]."""
    return math.exp(-evaluation.log_loss)


def best_of(evaluation: Evaluation) -> int | None:
    """The k whose top-k accuracy is worth a headline: 3 or 5, where labels are more than twice as many."""
    return max((k for k in evaluation.top_k if 3 <= k <= 5 and 2 * k < len(evaluation.labels)), default=None)


def frequent_mix_ups(evaluation: Evaluation, most: int) -> Sequence[MixUp]:
    """The pairs of labels that were mixed up, the most frequent first, at most `most`."""
    labels = evaluation.labels
    pairs = [
        MixUp(labels[actual], labels[predicted], count, sum(row))
        for actual, row in enumerate(evaluation.confusion)
        for predicted, count in enumerate(row)
        if count and actual != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, pair.of, pair.actual, pair.predicted))[:most]
