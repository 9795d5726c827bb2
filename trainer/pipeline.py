"""The `train` verb, told once: from a folder of labelled pictures to a published bundle."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.bundle import Bundle
from shared.publish import publish, seal, staging_folder
from trainer.audit import Audit, audit_manifest
from trainer.backbones import BackboneEntry, Weights, choose_backbone, find_weights
from trainer.bundle_files import BundleFacts, metadata_fields, write_bundle_files
from trainer.cross_validation import CrossValidation, cross_validate
from trainer.errors import TooManyUnusable
from trainer.evaluation import Evaluation, evaluate
from trainer.featurize import Features, featurize
from trainer.gates import pass_gates
from trainer.graph import attach_head, backbone_graph
from trainer.head import HeadFit, fit_linear_probe
from trainer.manifest import Manifest, Sample, Split, read_manifest
from trainer.metrics import softmax
from trainer.progress import Progress
from trainer.run_record import Timings
from trainer.settings import TrainSettings
from trainer.split import find_groups, split_groups


@dataclass(frozen=True)
class Training:
    """What a run learned from: usable samples in canonical order with features, targets, groups and splits.

    Rows are ordered by digest, so that the head is the same, bit for bit, wherever the files lie.

    Attributes:
        samples: N samples.
        labels: K labels.
        features: shape (N, D).
        targets: shape (N,), class indices.
        groups: N group ids.
        splits: N splits.
    """

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    groups: tuple[str, ...]
    splits: tuple[Split, ...]

    def rows(self, *splits: Split) -> NDArray[np.int64]:
        """Row numbers of the samples in these splits."""
        return np.flatnonzero(np.isin(self.splits, splits))


@dataclass(frozen=True)
class Measured:
    """The numbers of the held-out model, which is not the one fitted on everything.

    Attributes:
        fit: the head that never saw the test split, with its cross-validation.
        test: on the test split; None when there is none.
        cross_validated: pooled out-of-fold predictions of the samples that selection used; None without folds.
        folds: the nested cross-validation of `--folds`; None when not asked for.
        test_probabilities: shape (test samples, K).
    """

    fit: HeadFit
    test: Evaluation | None
    cross_validated: Evaluation | None
    folds: CrossValidation | None
    test_probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class TrainResult:
    """A finished run."""

    bundle: Bundle
    metrics: dict[str, Any]
    featurized: int
    from_cache: int

    def as_json(self) -> dict[str, Any]:
        """What `train --json` prints."""
        return {
            "bundle": str(self.bundle.path),
            "version": self.bundle.version,
            "featurized": self.featurized,
            "from_cache": self.from_cache,
            "metrics": self.metrics,
        }


def train(settings: TrainSettings, progress: Progress | None = None) -> TrainResult:
    """Read, featurise, split, fit, measure, fit again on everything, and publish.

    Raises:
        BadData: what was found cannot be learned from.
        WeightsMissing: the backbone's weights are not to be had.
        GateFailed: a check before publishing failed; nothing was published.
    """
    progress = progress or Progress()
    timings = Timings()
    with timings.measure("read"):
        manifest, audit = _read(settings, progress)
    with timings.measure("export"):
        entry, weights, reason, graph = _backbone(settings, progress)
    with timings.measure("featurize"):
        features = _featurize(manifest, entry, weights, graph, settings, progress)
        manifest, audit = _leave_out(manifest, audit, features, settings, progress)
    training = _training(manifest, features, settings)
    with timings.measure("fit"):
        measured = _measure(training, settings, progress)
        final = _final_fit(training, measured, settings)
    facts = BundleFacts(
        settings=settings,
        manifest=manifest,
        audit=audit,
        training=training,
        entry=entry,
        weights=weights,
        backbone_reason=reason,
        graph=graph,
        model=attach_head(graph, final.head, labels=training.labels, spec=entry.spec),
        measured=measured,
        final=final,
        featurized=features.featurized,
        from_cache=features.from_cache,
        timings=timings,
    )
    return _publish(facts, progress)
