"""Gathers what a report tells from a finished run: chosen, bounded and put into words here, laid out in `report`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.preprocess import PreprocessSpec
from trainer.bundle_files import Run, metadata_fields
from trainer.calibration import reliability_bins
from trainer.coverage import CoveragePoint, coverage_at, coverage_curve, suggested_thresholds
from trainer.evaluation import Evaluation
from trainer.final_fit import rows_of_final
from trainer.head import HeadFit
from trainer.held_out import held_out_answers
from trainer.learning_curve import LearningCurve, learning_curve, quick_strength
from trainer.linear_probe import FIXED_STRENGTH
from trainer.locations import last_name
from trainer.max_softmax import max_softmax_auroc
from trainer.metrics import softmax
from trainer.mistakes import Mistake, find_mistakes
from trainer.mix_ups import MOST_PICTURED, PicturedMixUp, frequent_mix_ups, picture_mix_ups
from trainer.report_content import BackboneFacts, HeadFacts, LabelCount, ReportFacts, ScoreFacts
from trainer.report_findings import show_findings
from trainer.report_words import right_of, uneven_split
from trainer.rows import gather, take
from trainer.rows_on_disk import RowsOnDisk
from trainer.sgd_settings import without_idle
from trainer.some_pictures import some_of
from trainer.thumbnails import Thumbnails
from trainer.training import Measured, Training

_MIRROR = "weights_url"


def report_facts(run: Run) -> ReportFacts:
    """What a run has to tell. Fits the learning curve, and reads pictures again, unless they are kept out."""
    fields, measured, thumbnails = metadata_fields(run), run.measured, Thumbnails(allowed=run.settings.pictures)
    mistakes, mix_ups = _pictured(run.training, measured, thumbnails)
    return ReportFacts(
        name=run.settings.model_name,
        trained_at=f"{run.timings.started_at:%Y-%m-%d %H:%M} UTC",
        data=last_name(run.settings.data),
        labels_from=run.manifest.labels_from,
        manifest_digest=run.manifest.digest,
        counts=_counts(run.training),
        backbone=_backbone(run),
        head=_head(run),
        test=measured.test,
        cross_validated=measured.cross_validated,
        folds=measured.folds,
        mistakes=mistakes,
        mistake_count=_mistake_count(measured.test or measured.cross_validated),
        mix_ups=mix_ups,
        pictures=run.settings.pictures,
        findings=show_findings(run.findings, run.manifest.samples, thumbnails),
        settings=_settings(fields["settings"]),
        tools=tuple(fields["tools"].items()),
        seconds=tuple(run.timings.seconds.items()),
        learning_curve=_learning_curve(run),
        scores=_scores(run.training, measured),
        novelty=run.novelty.report,
        max_softmax=_max_softmax(run),
        balance=measured.balance,
        compared=run.picked.compared if run.picked else (),
        precision=run.precision.reason if run.precision.wanted != "float32" else "",
        requirements=tuple(run.precision.requirements),
        named_test=run.manifest.test,
        uneven_split=_uneven_split(run),
    )


def _uneven_split(run: Run) -> str:
    """Nothing where the data gives a split: then the shares were not wished for."""
    if run.manifest.test or any(sample.split for sample in run.training.samples):
        return ""
    return uneven_split(_counts(run.training), run.settings.split)


def _pictured(
    training: Training, measured: Measured, thumbnails: Thumbnails
) -> tuple[tuple[Mistake, ...], tuple[PicturedMixUp, ...]]:
    """Mistakes first: of what thumbnails a page can carry they get theirs."""
    held_out, evaluation = held_out_answers(training, measured), measured.test or measured.cross_validated
    if held_out is None or evaluation is None:
        return (), ()
    mistakes = find_mistakes(training, held_out, measured.fit.head, thumbnails)
    pairs = frequent_mix_ups(evaluation, MOST_PICTURED)
    return mistakes, picture_mix_ups(pairs, training, held_out, thumbnails)


def _head(run: Run) -> HeadFacts:
    fit = run.measured.fit
    return HeadFacts(
        l2=fit.l2,
        swept=fit.swept,
        folds=fit.folds,
        note=fit.note,
        refitted=run.final is not fit,
        kind=fit.kind,
        recipe=run.measured.searched.name if run.measured.searched.tried else "",
        history=fit.history,
        tried=run.measured.searched.tried,
        bound=run.measured.searched.bound,
        views=run.measured.searched.recipe.views,
    )


def _learning_curve(run: Run) -> LearningCurve | None:
    """Of as many pictures as memory holds easily, where all features lie on disk."""
    training, fit, seed = run.training, run.measured.fit, run.settings.seed
    every = training.rows("train", "validation")
    rows = some_of(training, every, seed=seed) if isinstance(training.features, RowsOnDisk) else every
    curve = learning_curve(
        gather(training.features, rows),
        training.targets[rows],
        [training.groups[row] for row in rows.tolist()],
        class_count=len(training.labels),
        l2=_quick_strength(fit),
        seed=seed,
        threads=run.settings.thread_count,
    )
    return curve if curve is None or len(rows) == len(every) else replace(curve, drawn_from=len(every))


def _quick_strength(fit: HeadFit) -> float:
    return quick_strength(fit.swept, fit.l2) if fit.kind == "probe" else FIXED_STRENGTH


def _max_softmax(run: Run) -> float | None:
    if run.novelty.report is None:
        return None
    rows = rows_of_final(run.training, run.measured, run.final)
    return max_softmax_auroc(
        take(run.training.features, rows),
        run.training.targets[rows],
        run.novelty.fit.folds,
        class_count=len(run.training.labels),
        l2=_quick_strength(run.measured.fit),
        threads=run.settings.thread_count,
    )


def _scores(training: Training, measured: Measured) -> ScoreFacts | None:
    fit = measured.fit
    if measured.calibration is None:
        return None
    targets = training.targets[training.rows("train", "validation")]
    coverage = coverage_curve(fit.out_of_fold_probabilities, targets)
    suggested = suggested_thresholds(coverage)
    return ScoreFacts(
        calibration=measured.calibration,
        bins_before=reliability_bins(softmax(fit.out_of_fold_logits), targets),
        coverage=coverage,
        suggested=suggested,
        on_test=_on_test(suggested, training, measured),
    )


def _on_test(
    suggested: Sequence[CoveragePoint], training: Training, measured: Measured
) -> tuple[CoveragePoint | None, ...]:
    """What thresholds that were found elsewhere do on the test split; empty without one."""
    held_out = held_out_answers(training, measured)
    if measured.test is None or held_out is None:
        return ()
    return tuple(coverage_at(one.threshold, held_out.probabilities, held_out.targets) for one in suggested)


def _counts(training: Training) -> tuple[LabelCount, ...]:
    found = Counter(zip((sample.label for sample in training.samples), training.splits, strict=True))
    return tuple(
        LabelCount(label, found[label, "train"], found[label, "validation"], found[label, "test"])
        for label in training.labels
    )


def _backbone(run: Run) -> BackboneFacts:
    return BackboneFacts(
        name=run.entry.name,
        reason=run.backbone_reason,
        weights=run.weights.source,
        weights_sha256=run.weights.sha256,
        licence=run.entry.licence,
        feature_size=len(run.final.head.mean),
        preprocess=_preprocess_in_words(run.choice.spec),
        taps=run.choice.taps,
        mirror=run.choice.mirror,
    )


def _preprocess_in_words(spec: PreprocessSpec) -> str:
    size = f"{spec.width} × {spec.height} px"
    ways = {
        "crop": f"shorter side to {spec.resize} px, then the centre {size}",
        "pad": f"fitted into {size}, the rest padded",
        "stretch": f"stretched to {size}",
    }
    return f"{ways[spec.fit]} ({spec.interpolation}, antialiased)"


def _mistake_count(measured: Evaluation | None) -> int:
    return measured.n - right_of(measured) if measured else 0


def _settings(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What is set and matters to the head, but for the mirror, whose address may hold a password."""
    return tuple(
        (name.replace("_", "-"), _in_words(value))
        for name, value in without_idle(settings, settings).items()
        if value is not None and name != _MIRROR
    )


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)
