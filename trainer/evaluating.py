"""The `evaluate` verb: a published bundle measured on any labelled pictures."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.addresses import shown
from shared.bundle import Bundle
from trainer.errors.scoring import NothingSelected, UnknownLabels
from trainer.evaluation import Evaluation, evaluate
from trainer.groups import find_groups
from trainer.intake import name_not_read, read_told
from trainer.learned_from import learned_digests, learned_warning
from trainer.manifest import Manifest, PassedOver, Sample
from trainer.progress import Progress
from trainer.scoring import Scored, Scorer
from trainer.settings import EvaluateSettings
from trainer.split_file import read_groups, read_split_file
from trainer.telling import name_each
from trainer.unusable import refuse_too_many


@dataclass(frozen=True)
class BundleEvaluation:
    """The numbers, on which bundle, which pictures could not be used, and how many the head was fitted on.

    `unfamiliar` is how many are above the model's threshold of novelty; None when it does not know.
    """

    bundle: Bundle
    evaluation: Evaluation
    unusable: tuple[PassedOver, ...]
    learned_from: int
    unfamiliar: int | None

    def as_json(self) -> dict[str, Any]:
        """What `evaluate --json` prints."""
        unusable = [{"file": one.name, "reason": one.reason} for one in self.unusable]
        numbers = {"version": self.bundle.version, **self.evaluation.as_json()}
        return numbers | {"learned_from": self.learned_from, "unfamiliar": self.unfamiliar, "unusable": unusable}


def evaluate_bundle(settings: EvaluateSettings, progress: Progress | None = None) -> BundleEvaluation:
    """Score every labelled picture and compare.

    Pictures count as one in intervals if their bytes are the same, if they were one group in the training of the
    bundle, near duplicates among them, or if they are one by `--group-by`. Near duplicates among others are not looked
    for.

    Raises:
        BadData: labels the bundle does not know, no picture left, or more unusable ones than `max_bad`.
        BundleError, SessionError: the bundle cannot be used.
    """
    progress = progress or Progress()
    manifest = read_told(settings, progress, max_missing=settings.max_bad, group_by=settings.group_by, as_test=True)
    name_not_read(manifest, progress)
    scorer = Scorer(settings.bundle, threads=settings.thread_count, provider=settings.provider, progress=progress)
    samples = _select(manifest, settings, scorer.bundle)
    _refuse_unknown_labels(samples, scorer)
    scored = _score_all(samples, scorer, progress)
    problems = tuple(
        PassedOver(sample.name, result.problem)
        for sample, result in zip(samples, scored, strict=True)
        if result.problem is not None
    )
    in_question = manifest.unreadable if settings.only == "all" else ()  # what cannot be read is in no known split
    refuse_too_many(in_question + problems, total=len(in_question) + len(samples), max_bad=settings.max_bad)
    unusable = manifest.unreadable + problems
    name_each(progress, "cannot be used", [f"{one.name}: {one.reason}" for one in unusable])
    missing = tuple(PassedOver(name, "listed, but there is no such file") for name in manifest.missing)
    learned_from = _count_learned(scored, scorer.bundle, progress)
    return BundleEvaluation(
        scorer.bundle,
        _evaluate(samples, scored, scorer),
        unusable + missing,
        learned_from,
        _count_unfamiliar(scored, scorer.bundle),
    )


def _count_unfamiliar(scored: list[Scored], bundle: Bundle) -> int | None:
    threshold = bundle.metadata.thresholds.unfamiliar
    if threshold is None:
        return None
    return sum(result.novelty is not None and result.novelty > threshold for result in scored)


def _count_learned(scored: list[Scored], bundle: Bundle, progress: Progress) -> int:
    """How many of the scored pictures the published head was fitted on; said aloud when there are any."""
    learned = learned_digests(bundle)
    usable = [result.digest for result in scored if result.probabilities is not None]
    count = sum(digest in learned for digest in usable)
    if count:
        progress.warn(learned_warning(count, len(usable)), learned_from=count)
    return count


def _select(manifest: Manifest, settings: EvaluateSettings, bundle: Bundle) -> tuple[Sample, ...]:
    if settings.only == "all":
        return manifest.samples
    split_by_digest = read_split_file(bundle.path)
    selected = tuple(sample for sample in manifest.samples if split_by_digest.get(sample.digest) == settings.only)
    if not selected:
        raise NothingSelected(shown(settings.data), split=settings.only)
    return selected


def _refuse_unknown_labels(samples: tuple[Sample, ...], scorer: Scorer) -> None:
    unknown = sorted({sample.label for sample in samples} - set(scorer.labels))
    if unknown:
        raise UnknownLabels(unknown, known=scorer.labels)


def _score_all(samples: tuple[Sample, ...], scorer: Scorer, progress: Progress) -> list[Scored]:
    scored = []
    with progress.phase("evaluate", total=len(samples)) as phase:
        for result in scorer.score(sample.path for sample in samples):
            scored.append(result)
            phase.advance()
    return scored


def _evaluate(samples: tuple[Sample, ...], scored: list[Scored], scorer: Scorer) -> Evaluation:
    index = {label: position for position, label in enumerate(scorer.labels)}
    usable = [
        (result.probabilities, index[sample.label], group)
        for sample, result, group in zip(samples, scored, _groups_of(samples, scorer.bundle), strict=True)
        if result.probabilities is not None
    ]
    probabilities, targets, groups = zip(*usable, strict=True)
    return evaluate(np.stack(probabilities), np.array(targets, dtype=np.int64), scorer.labels, groups=groups)


def _groups_of(samples: tuple[Sample, ...], bundle: Bundle) -> tuple[str, ...]:
    """Copies and what `--group-by` joins, and also what the training kept together, as far as it knew the pictures."""
    learned, together = read_groups(bundle.path), defaultdict[str, list[int]](list)
    for row, sample in enumerate(samples):
        if sample.digest in learned:
            together[learned[sample.digest]].append(row)
    return find_groups(samples, together.values())
