"""The `evaluate` verb: a published bundle measured on any labelled pictures."""

from dataclasses import dataclass

import numpy as np

from shared.bundle import Bundle
from trainer.errors import TooManyUnusable, UnknownLabels
from trainer.evaluation import Evaluation, evaluate
from trainer.manifest import Manifest, PassedOver, Sample, read_manifest
from trainer.progress import Progress
from trainer.scoring import Scored, Scorer
from trainer.settings import EvaluateSettings
from trainer.split_file import read_split_file


@dataclass(frozen=True)
class BundleEvaluation:
    """The numbers, on which bundle, and which pictures could not be used."""

    bundle: Bundle
    evaluation: Evaluation
    unusable: tuple[PassedOver, ...]


def evaluate_bundle(settings: EvaluateSettings, progress: Progress | None = None) -> BundleEvaluation:
    """Score every labelled picture and compare.

    Raises:
        BadData: labels the bundle does not know, no picture left, or more unusable ones than `max_bad`.
        BundleError, SessionError: the bundle cannot be used.
    """
    progress = progress or Progress()
    manifest = read_manifest(
        settings.data,
        labels=settings.labels,
        cache_dir=settings.cache_dir,
        max_missing=settings.max_bad,
        progress=progress,
    )
    progress.say(f"Labels come from {manifest.labels_from}.")
    scorer = Scorer(settings.bundle, threads=settings.thread_count, provider=settings.provider, progress=progress)
    samples = _select(manifest, settings, scorer.bundle)
    _refuse_unknown_labels(samples, scorer)
    scored = _score_all(samples, scorer, progress)
    unusable = tuple(
        PassedOver(sample.name, result.problem)
        for sample, result in zip(samples, scored, strict=True)
        if result.problem is not None
    )
    _refuse_too_many(unusable, samples, settings)
    return BundleEvaluation(scorer.bundle, _evaluate(samples, scored, scorer), unusable)


def _select(manifest: Manifest, settings: EvaluateSettings, bundle: Bundle) -> tuple[Sample, ...]:
    if settings.only == "all":
        return manifest.samples
    split_by_digest = read_split_file(bundle.path)
    return tuple(sample for sample in manifest.samples if split_by_digest.get(sample.digest) == settings.only)


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


def _refuse_too_many(unusable: tuple[PassedOver, ...], samples: tuple[Sample, ...], settings: EvaluateSettings) -> None:
    if len(unusable) == len(samples) or len(unusable) > settings.max_bad * len(samples):
        raise TooManyUnusable(
            [(one.name, one.reason) for one in unusable], total=len(samples), max_bad=settings.max_bad
        )


def _evaluate(samples: tuple[Sample, ...], scored: list[Scored], scorer: Scorer) -> Evaluation:
    index = {label: position for position, label in enumerate(scorer.labels)}
    usable = [
        (result.probabilities, index[sample.label])
        for sample, result in zip(samples, scored, strict=True)
        if result.probabilities is not None
    ]
    probabilities = np.stack([row for row, _ in usable])
    return evaluate(probabilities, np.array([target for _, target in usable], dtype=np.int64), scorer.labels)
