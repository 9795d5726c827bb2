"""Gathers what a report tells from a finished run: chosen, bounded and put into words here, laid out in `report`."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from shared.preprocess import PreprocessSpec
from trainer.bundle_files import Run, metadata_fields
from trainer.evaluation import Evaluation
from trainer.locations import last_name
from trainer.mistakes import find_mistakes
from trainer.report_content import BackboneFacts, HeadFacts, LabelCount, ReportFacts
from trainer.report_findings import show_findings
from trainer.training import Training

_MIRROR = "weights_url"


def report_facts(run: Run) -> ReportFacts:
    """What a run has to tell. Reads the pictures of mistakes again, unless pictures are kept out."""
    fields, measured = metadata_fields(run), run.measured
    return ReportFacts(
        name=run.settings.model_name,
        trained_at=f"{run.timings.started_at:%Y-%m-%d %H:%M} UTC",
        data=last_name(run.settings.data),
        labels_from=run.manifest.labels_from,
        manifest_digest=run.manifest.digest,
        counts=_counts(run.training),
        backbone=_backbone(run),
        head=HeadFacts(
            l2=measured.fit.l2,
            swept=measured.fit.swept,
            folds=measured.fit.folds,
            note=measured.fit.note,
            refitted=run.final is not measured.fit,
        ),
        test=measured.test,
        cross_validated=measured.cross_validated,
        folds=measured.folds,
        mistakes=find_mistakes(run.training, measured, pictures=run.settings.pictures),
        mistake_count=_mistake_count(measured.test),
        pictures=run.settings.pictures,
        findings=show_findings(run.findings, run.manifest.samples, pictures=run.settings.pictures),
        settings=_settings(fields["settings"]),
        tools=tuple(fields["tools"].items()),
        seconds=tuple(run.timings.seconds.items()),
    )


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
        feature_size=run.entry.feature_size,
        preprocess=_preprocess_in_words(run.entry.spec),
    )


def _preprocess_in_words(spec: PreprocessSpec) -> str:
    size = f"{spec.width} × {spec.height} px"
    ways = {
        "crop": f"shorter side to {spec.resize} px, then the centre {size}",
        "pad": f"fitted into {size}, the rest padded",
        "stretch": f"stretched to {size}",
    }
    return f"{ways[spec.fit]} ({spec.interpolation}, antialiased)"


def _mistake_count(test: Evaluation | None) -> int:
    return test.n - sum(row[k] for k, row in enumerate(test.confusion)) if test else 0


def _settings(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What is set, but for the mirror, whose address may hold a password and says nothing about the model."""
    return tuple(
        (name.replace("_", "-"), _in_words(value))
        for name, value in settings.items()
        if value is not None and name != _MIRROR
    )


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)
