"""Numbers in words, for the report and the card."""

import math
from collections.abc import Sequence
from typing import Literal

from trainer.calibration import Calibration, trusted
from trainer.counting import counted
from trainer.evaluation import Evaluation
from trainer.intervals import Interval
from trainer.learning_curve import LearningCurve
from trainer.recipe import HeadKind
from trainer.report_content import LabelCount, ScoreFacts

A_POINT = 0.01
_FAR_OFF, _FAR_OFF_RELATIVE = 0.05, 0.15

HEADS: dict[HeadKind, str] = {
    "probe": "a linear probe (multinomial logistic regression on standardised features)",
    "prototype": "class means under a shared, shrunk covariance of standardised features",
    "blend": "the mean of a linear probe and of class means under a shared covariance, on standardised features",
    "mlp": "a small network with one hidden layer on standardised features",
    "sgd": "a linear head on standardised features, fitted by stochastic gradient descent",
}


def percent(share: float | None) -> str:
    """A share in [0, 1] as per cent with one digit, such as "96.2 %"; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"


def percent_range(interval: Interval) -> str:
    """An interval of shares, such as "90.2 to 98.4 %"."""
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def points(share: float) -> str:
    """A difference of shares in percentage points, such as "3.1" or "−0.4"."""
    return f"{100 * share:.1f}".replace("-", "−")


def points_range(interval: Interval) -> str:
    """An interval of such differences, such as "−0.4 to 3.1"."""
    return f"{points(interval[0])} to {points(interval[1])}"


def whole_percent(share: float) -> str:
    """A share as per cent without digits after the point; what is not 0 or 1 is not shown as if it were."""
    rounded = round(100 * share)
    if rounded in (0, 100) and 0 < share < 1:
        return "<1 %" if rounded == 0 else ">99 %"
    return f"{rounded} %"


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


def would_more_help(curve: LearningCurve) -> Literal["yes", "probably", "hardly", "unclear"]:
    """Whether more pictures would help, by what the last step of the curve brought.

    "yes": accuracy rose, and chance does not explain it. "hardly": it rose by less than a point, at most. "probably":
    accuracy may have risen by chance, but the scores of the true labels rose, which shows earlier. Else "unclear".
    """
    low, high = curve.accuracy.interval
    if low > 0:
        return "yes"
    if high < A_POINT:
        return "hardly"
    return "probably" if curve.log_loss.interval[0] > 0 else "unclear"


def trust(error: Calibration) -> str:
    """The answer to "can the scores be trusted?", a sentence."""
    if (found := trusted(error.after, error.perfect_95)) == "yes":
        return f"Yes, as far as {counted(error.n, 'picture')} can tell."
    return "Too few pictures to tell." if found == "unclear" else "Not to the point."


def why_unequal(counts: Sequence[LabelCount]) -> str:
    """Why labels weigh unequally, a sentence: they have unequally many pictures, or only those learned from have."""
    if len({count.total for count in counts}) == 1:
        return "Every label has equally many pictures in all, but not among those learned from, as groups fall."
    return "Labels have unequally many pictures."


def uneven_split(counts: Sequence[LabelCount], wished: tuple[float, float, float]) -> str:
    """How far the real split is from the wished one and why, a sentence; "" where it is near.

    Args:
        counts: of each label.
        wished: shares of train, validation and test; they are scaled to the sum 1.
    """
    found = [sum(getattr(one, split) for one in counts) for split in ("train", "validation", "test")]
    shares = [(n / sum(found), share / sum(wished)) for n, share in zip(found, wished, strict=True)]
    if all(abs(real - wish) <= min(_FAR_OFF, wish * _FAR_OFF_RELATIVE) for real, wish in shares):
        return ""
    told = " / ".join(f"{100 * real:.0f}" for real, _ in shares)
    asked = " / ".join(f"{100 * wish:.0f}" for _, wish in shares)
    return (
        f"The split came out as {told} % ({asked} % wished for): each group of pictures goes where a hash of it "
        "falls, so that pictures which are added later move no other one; few or large groups then miss the shares."
    )


def on_test(scores: ScoreFacts, number: int) -> str:
    """What a suggested threshold does on the test split, a sentence that begins with a blank; "" without such a split.

    Args:
        number: of the threshold among `scores.suggested`.
    """
    if not scores.on_test:
        return ""
    there = scores.on_test[number]
    if there is None:
        return " Of the test split, no answer scores so much."
    right = round(there.accuracy * there.n)
    return (
        f" On the test split: {right:,} of {there.n:,} such answers, {percent(there.accuracy)} "
        f"({percent_range(there.interval)})."
    )


def notices(auroc: float) -> Literal["well", "partly", "hardly"]:
    """How well labels that were left out are told from known ones: from 0.9 well, from 0.7 partly, else hardly."""
    if auroc >= 0.9:
        return "well"
    return "partly" if auroc >= 0.7 else "hardly"
