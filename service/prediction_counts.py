"""Counts what was said about pictures, by model and version: when the answer begins that says it, and only then."""

import math
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from starlette.types import Scope

from service.answers import Answer
from service.recent_pictures import RecentPictures

NOVELTY_EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""Upper ends of the bins of novelty; above 0.95 it is not evenly spread even for familiar pictures."""

VERSIONS_KEPT = 4
"""Of a model: the one that is served, and those that were of late; answers of an old one may still be under way."""

_KEY = "answers"


@dataclass
class VersionCounts:
    """What one version said.

    Attributes:
        labels: pictures by their best label.
        novelty: pictures by bin of `NOVELTY_EDGES`; those without novelty, or with one that is no number, are in none.
        novelty_sum: their novelty, added up.
        unfamiliar: pictures that were called so.
        recent: the latest of them.
        last: when the last picture was counted, or the first one expected, in s of the clock.
    """

    recent: RecentPictures
    last: float
    labels: Counter[str] = field(default_factory=Counter)
    novelty: list[int] = field(default_factory=lambda: [0] * len(NOVELTY_EDGES))
    novelty_sum: float = 0.0
    unfamiliar: int = 0


class PredictionCounts:
    """The counts of one process; used by its event loop alone.

    Args:
        clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._models: dict[str, dict[str, VersionCounts]] = {}

    def add(self, answer: Answer) -> None:
        """Count one picture."""
        counts = self.of(answer.model, answer.version)
        label, novelty = answer.predictions[0].label, answer.novelty
        counts.labels[label] += 1
        in_bin = None
        if novelty is not None and math.isfinite(novelty):  # one that is not would spoil the sum for good
            in_bin = min(bisect_left(NOVELTY_EDGES, novelty), len(NOVELTY_EDGES) - 1)
            counts.novelty[in_bin] += 1
            counts.novelty_sum += novelty
            counts.unfamiliar += bool(answer.unfamiliar)
        counts.recent.add(label, in_bin)
        counts.last = self._clock()

    def of(self, model: str, version: str) -> VersionCounts:
        """What this version said, from nothing where it is new; the one that has been silent longest goes for it."""
        versions = self._models.setdefault(model, {})
        found = versions.get(version)
        if found is None:
            while len(versions) >= VERSIONS_KEPT:
                del versions[min(versions, key=lambda each: versions[each].last)]
            recent = RecentPictures(len(NOVELTY_EDGES), self._clock)
            found = versions[version] = VersionCounts(recent, self._clock())
        return found

    def versions(self, model: str) -> Mapping[str, VersionCounts]:
        """What is known of a model's versions."""
        return self._models.get(model, {})

    def keep_only(self, models: Iterable[str]) -> None:
        """Forget the models that are not there any more."""
        wanted = set(models)
        for model in [known for known in self._models if known not in wanted]:
            del self._models[model]


def note_answer(scope: Scope, answer: Answer) -> None:
    """Tell the counts what a request's answer says about one picture."""
    scope.setdefault("state", {}).setdefault(_KEY, []).append(answer)


def noted_answers(scope: Scope) -> list[Answer]:
    """What was noted for a request."""
    answers: list[Answer] = scope.get("state", {}).get(_KEY, [])
    return answers
