"""Everything a run knows, written as the files of a bundle."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shared.addresses import shown
from shared.bundle import MODEL_FILE, BackboneInfo, SplitInfo
from shared.evidence import EVIDENCE_FILE
from shared.files import sha256_of, write_atomically
from shared.golden import Golden, write_golden
from trainer.backbone_choice import BackboneChoice
from trainer.backbones import BackboneEntry, Weights
from trainer.calibration import Calibration
from trainer.cross_validation import CrossValidation
from trainer.evidence import LearnedEvidence
from trainer.feature_tally import FeatureTally
from trainer.findings import Finding
from trainer.gates import GATES
from trainer.head import HeadFit, write_head
from trainer.held_out import held_out_answers
from trainer.learned_novelty import LearnedNovelty
from trainer.manifest import Manifest
from trainer.named_test import NAMED_TEST
from trainer.not_worse import Comparison
from trainer.precision import PrecisionChoice
from trainer.ray_settings import RAY_OPTIONS, computed_by
from trainer.recipe import FeatureChoice
from trainer.reference import reference_of
from trainer.run_record import Timings, run_record, tool_versions
from trainer.settings import TrainSettings
from trainer.split_file import SPLIT_FILE, SplitRow, format_split_file
from trainer.training import Measured, Training

# Where the run took place, what was asked of it and how it was told to talk is not part of how the model was made.
_SETTINGS_LEFT_OUT = frozenset(
    {
        "data",
        "test",
        "models_dir",
        "cache_dir",
        "config",
        "json_",
        "keep_versions",
        "rehash",
        "feature_memory",
        "from_",
        "weights",
        "weights_url",
        *RAY_OPTIONS,
        *GATES,
    }
)


@dataclass(frozen=True)
class Run:
    """A finished run, ready to be written.

    Attributes:
        settings: as given.
        manifest: the samples that were used.
        findings: what was found in the data.
        entry, weights, backbone_reason: the backbone, where its weights came from, why it was chosen.
        picked: what `--backbone auto` compared; None where the backbone was not picked.
        choice: the features that the head reads.
        precision: why the backbone computes in float32 or int8.
        graph: the backbone's graph that gives them.
        model: the served graph.
        golden: its golden inputs and answers.
        training, measured, final: rows, held-out numbers, the head that is published.
        novelty: how unlike the training pictures a picture is, and what that is worth.
        evidence: where the evidence for a label is read from.
        tally: what was featurised, and found in the cache.
        timings: seconds by step.
        compared: with the version that was current, for `--not-worse`; None where nobody asked, or none was.
    """

    settings: TrainSettings
    manifest: Manifest
    findings: tuple[Finding, ...]
    entry: BackboneEntry
    weights: Weights
    backbone_reason: str
    picked: BackboneChoice | None
    choice: FeatureChoice
    precision: PrecisionChoice
    graph: bytes
    model: bytes
    golden: Golden
    training: Training
    measured: Measured
    final: HeadFit
    novelty: LearnedNovelty
    evidence: LearnedEvidence
    tally: FeatureTally
    timings: Timings
    compared: Comparison | None = None


def write_bundle_files(folder: Path, run: Run) -> None:
    """Write the files that consumers read, all but bundle.json, the report and the card."""
    write_atomically(folder / MODEL_FILE, run.model)
    write_head(folder / "head.safetensors", run.final.head)
    write_atomically(folder / "labels.txt", "".join(f"{label}\n" for label in run.training.labels).encode())
    write_atomically(folder / "metrics.json", _to_json(metrics_of(run)))
    write_atomically(folder / SPLIT_FILE, _split_file(run.training, run.measured))
    if (evidence := run.evidence.file()) is not None:
        write_atomically(folder / EVIDENCE_FILE, evidence)
    write_golden(folder, run.golden)
    facts = {**run.tally.as_json(), "data": shown(run.settings.data)}
    facts |= {"test": shown(run.settings.test)} if run.settings.test else {}
    facts |= {"precision": run.precision.as_json(), "backbone": run.picked.as_json() if run.picked else None}
    facts |= {"not_worse": run.compared.as_json() if run.compared else None}
    record = run_record(run.timings, threads=run.settings.thread_count, **facts)
    write_atomically(folder / "run.json", _to_json(record))


def metrics_of(run: Run) -> dict[str, Any]:
    """What was measured: on the test split, by cross-validation, by nested folds, and how the head was chosen."""
    measured, in_int8 = run.measured, run.precision.comparison
    return {
        "test": measured.test.as_json() if measured.test else None,
        "cross_validated": measured.cross_validated.as_json() if measured.cross_validated else None,
        "folds": measured.folds.as_json() if measured.folds else None,
        "head": {
            "kind": measured.fit.kind,
            "recipe": measured.searched.name,
            "l2": measured.fit.l2,
            "epochs": measured.fit.epochs,
            "temperature": measured.fit.temperature,
            "folds": measured.fit.folds,
            "swept": [{"l2": l2, "log_loss": loss} for l2, loss in measured.fit.swept],
            "parts": [{"kind": one.kind, "l2": one.l2, "temperature": one.temperature} for one in measured.fit.parts],
            "note": measured.fit.note,
            "final_fit": run.settings.final_fit,
            "tried": [one.as_json() for one in measured.searched.tried],
            "bound": measured.searched.bound,
        },
        "calibration": measured.calibration.as_json() if measured.calibration else None,
        "balance": measured.balance.as_json() if measured.balance else None,
        "novelty": run.novelty.as_json(),
        "int8": asdict(in_int8) if in_int8 else None,
    } | _named_test(run.manifest)


def _named_test(manifest: Manifest) -> dict[str, Any]:
    """Where a test set was named: how many pictures it has, and how many of the others were left out for it."""
    if manifest.test is None:
        return {}
    count = sum(manifest.is_test(sample.name) for sample in manifest.samples)
    return {NAMED_TEST: {"n": count, "left_out_of_training": len(manifest.test.twins)}}


def headline_metrics(run: Run) -> dict[str, Any]:
    """The few numbers that bundle.json and `train --json` carry, and what they were measured on."""
    evaluation, folds = run.measured.test or run.measured.cross_validated, run.measured.folds
    nested: dict[str, Any] = {"folds": _headline_of_folds(folds)} if folds else {}
    nested |= {"calibration": _headline_of_calibration(run.measured.calibration), "novelty": run.novelty.headline()}
    nested |= {"precision": run.precision.as_json()} if run.precision.wanted != "float32" else {}
    nested |= {"backbone_reason": run.picked.reason} if run.picked else {}
    if evaluation is None:
        return {"measured_on": None, "n": 0} | nested
    numbers = evaluation.as_json()
    wanted = ("n", "groups", "accuracy", "accuracy_interval", "macro_accuracy", "log_loss", "log_loss_reduction")
    return {
        "measured_on": "test" if run.measured.test else "cross_validated",
        **{key: numbers[key] for key in wanted},
        "untested": list(evaluation.untested),
        **_named_test(run.manifest),
        **_beside_the_test(run.measured),
        **nested,
    }


def _beside_the_test(measured: Measured) -> dict[str, Any]:
    """The cross-validated accuracy where the numbers are the test split's: settings are compared by it."""
    if not measured.test or not measured.cross_validated:
        return {}
    numbers = measured.cross_validated.as_json()
    return {"cross_validated": {key: numbers[key] for key in ("n", "groups", "accuracy", "accuracy_interval")}}


def _headline_of_calibration(found: Calibration | None) -> dict[str, float] | None:
    wanted = ("before", "after", "perfect", "perfect_95")
    return {name: getattr(found, name) for name in wanted} if found else None


def _headline_of_folds(folds: CrossValidation) -> dict[str, Any]:
    numbers = folds.as_json()
    wanted = ("folds", "accuracy", "accuracy_interval", "macro_accuracy", "log_loss")
    return {"n": folds.pooled[0].n} | {key: numbers[key] for key in wanted}


def metadata_fields(run: Run) -> Mapping[str, Any]:
    """The fields of bundle.json, for `shared.publish.seal`."""
    settings = run.settings
    return {
        "name": settings.model_name,
        "labels": run.training.labels,
        "spec": run.choice.spec,
        "outputs": run.novelty.outputs,
        "backbone": BackboneInfo(
            name=run.entry.name,
            feature_size=len(run.final.head.mean),
            weights=run.weights.source,
            weights_sha256=run.weights.sha256,
            licence=run.entry.licence,
            graph_sha256=sha256_of(run.graph),
            taps=run.choice.taps,
            mirror=run.choice.mirror,
        ),
        "precision": run.precision.taken,
        "requirements": run.precision.requirements,
        "metrics": headline_metrics(run),
        "thresholds": run.novelty.thresholds,
        "evidence": run.evidence.info,
        "evidence_reason": run.evidence.reason,
        "reference": reference_of(
            run.training, run.measured, run.final, run.novelty.fit, test_is_alike=settings.test is None
        ),
        "manifest_digest": run.manifest.digest,
        "split": SplitInfo(
            seed=settings.seed, shares=settings.split, counts=dict(sorted(Counter(run.training.splits).items()))
        ),
        "settings": settings.model_dump(mode="json", exclude=set(_SETTINGS_LEFT_OUT))
        | {"engine": computed_by(settings.engine)}  # a cluster's workers compute with it, and give the same features
        | {"threads": settings.thread_count}  # those that were used: with others, the last bits may differ
        | ({NAMED_TEST: True} if settings.test else {}),
        "tools": tool_versions(),
    }


def _split_file(training: Training, measured: Measured) -> bytes:
    held_out = held_out_answers(training, measured)
    predicted = dict(zip(held_out.rows.tolist(), held_out.predicted.tolist(), strict=True)) if held_out else {}
    return format_split_file(
        SplitRow(
            sample.digest,
            sample.label,
            training.splits[row],
            training.groups[row],
            training.labels[predicted[row]] if row in predicted else None,
        )
        for row, sample in enumerate(training.samples)
    )


def _to_json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
