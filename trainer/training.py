"""What a run learns from and what it measured: rows in canonical order, the held-out model, the final fit."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.balance import BalanceEffect, measure_balance
from trainer.calibration import Calibration, measure_calibration
from trainer.cross_validation import CrossValidation
from trainer.errors.audit import LabelNotInTrain
from trainer.evaluation import Evaluation, evaluate
from trainer.fitting import FitOptions, OnStep, fit_head
from trainer.groups import find_groups
from trainer.head import HeadFit
from trainer.live_metrics import HeadStep, OnMetrics
from trainer.manifest import Manifest, Sample, Split
from trainer.progress import Progress, Quiet
from trainer.recipe import FeatureRows, HeadKind, RowsToFit, plain_of, rows_to_fit
from trainer.recipe_search import Plan, Searched, plan_of, search
from trainer.rows import Rows, in_memory, take
from trainer.rows_on_disk import RowsOnDisk
from trainer.sgd_options import SgdOptions
from trainer.split import split_groups


@dataclass(frozen=True)
class Training:
    """Usable samples in canonical order with features, targets, groups and splits.

    Rows are ordered by digest, so that the head is the same, bit for bit, wherever the files lie.

    Attributes:
        samples: N samples.
        labels: K labels.
        features: shape (N, D), of the plain pictures, under the recipe that was chosen once there is one. On disk they
            are in the order of their file.
        targets: shape (N,), class indices.
        groups: N group ids.
        splits: N splits.
        views: shape (V, N, D), of augmented views; learned from, never measured on. None where there are none.
    """

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    features: Rows
    targets: NDArray[np.int64]
    groups: tuple[str, ...]
    splits: tuple[Split, ...]
    views: NDArray[np.float32] | None = None

    def rows(self, *splits: Split) -> NDArray[np.int64]:
        """Row numbers of the samples in these splits."""
        return np.flatnonzero(np.isin(self.splits, splits))

    @property
    def values(self) -> NDArray[np.float32]:
        """The features in memory, wherever they lie."""
        return in_memory(self.features)

    @property
    def feature_rows(self) -> RowsToFit:
        """Features of pictures and views."""
        if self.views is None or isinstance(self.features, RowsOnDisk):
            return rows_to_fit(self.features)
        return FeatureRows(self.features, self.views)

    def having(self, rows: RowsToFit) -> "Training":
        """The same pictures with other features."""
        return replace(self, features=plain_of(rows), views=None if isinstance(rows, RowsOnDisk) else rows.views)

    def fit(
        self,
        rows: NDArray[np.int64],
        *,
        seed: int,
        threads: int,
        kind: HeadKind = "probe",
        balance: bool = False,
        sgd: SgdOptions | None = None,
        like: HeadFit | None = None,
        on_step: OnStep | None = None,
    ) -> HeadFit:
        """A head fitted on these rows; `like` gives it hyper-parameters and temperature instead of choosing them."""
        options = FitOptions(len(self.labels), seed, threads, balance, sgd or SgdOptions())
        groups = [self.groups[row] for row in rows.tolist()]
        return fit_head(
            kind, self.feature_rows.take(rows), self.targets[rows], groups, options, like=like, on_step=on_step
        )


@dataclass(frozen=True)
class Measured:
    """The numbers of the held-out model, which is not the one fitted on everything.

    Attributes:
        fit: the head that never saw the test split, with its cross-validation.
        test: on the test split; None when there is none.
        test_rows: row numbers of the test split.
        test_probabilities: shape (test samples, K), in the order of `test_rows`.
        cross_validated: pooled out-of-fold predictions of the rows that selection used; None without folds.
        folds: of `nested_folds`, which come last; None when not asked for.
        searched: the recipe of `fit`, and what else was tried.
        calibration: of the probabilities of `cross_validated`; None without folds.
        balance: what `--balance` does here; None where labels have equally many pictures, or without folds.
    """

    fit: HeadFit
    test: Evaluation | None
    test_rows: NDArray[np.int64]
    test_probabilities: NDArray[np.float32]
    cross_validated: Evaluation | None
    folds: CrossValidation | None
    searched: Searched
    calibration: Calibration | None = None
    balance: BalanceEffect | None = None


def targets_of(manifest: Manifest) -> NDArray[np.int64]:
    """The class index of each sample, shape (N,)."""
    index = {label: position for position, label in enumerate(manifest.labels)}
    return np.array([index[sample.label] for sample in manifest.samples], dtype=np.int64)


def arrange(
    manifest: Manifest,
    features: Rows,
    *,
    alike: Sequence[Sequence[int]] = (),
    shares: tuple[float, float, float],
    seed: int,
) -> Training:
    """Order, group and split the samples.

    Args:
        manifest: N samples, usable ones only.
        features: shape (N, D), rows as in the manifest.
        alike: rows of the manifest that show one picture, as `Likeness.groups` has them.
        shares: of train, validation and test.
        seed: of the split.
    """
    order = sorted(range(len(manifest.samples)), key=lambda row: _canonical(manifest.samples[row]))
    samples = tuple(manifest.samples[row] for row in order)
    of_manifest = find_groups(manifest.samples, alike)
    groups = tuple(of_manifest[row] for row in order)
    splits = tuple(split_groups(samples, groups, shares, seed))
    return Training(
        samples=samples,
        labels=manifest.labels,
        features=take(features, np.array(order, np.int64)),
        targets=targets_of(manifest)[order],
        groups=groups,
        splits=splits,
    )


def require_learnable(training: Training) -> None:
    """Refuse a label that would be tested without having been learned.

    Raises:
        LabelNotInTrain: every picture of a label is held out by the data, or is in a group with one that is.
    """
    learned = {
        sample.label for sample, split in zip(training.samples, training.splits, strict=True) if split == "train"
    }
    if held_out := [label for label in training.labels if label not in learned]:
        raise LabelNotInTrain(held_out)


def measure(
    training: Training,
    *,
    seed: int,
    threads: int,
    plan: Plan | None = None,
    balance: bool = False,
    sgd: SgdOptions | None = None,
    progress: Progress | None = None,
    on_metrics: OnMetrics | None = None,
) -> Measured:
    """Choose recipe and head without the test split, then measure them there.

    Args:
        training: what to learn from.
        seed: of the folds.
        threads: of the head fit.
        plan: recipes to choose from; the default probe on the features of `training`, if not said.
        balance: every label weighs alike in the fits.
        sgd: how an SGD head descends.
        progress: shows the strengths as they are done.
        on_metrics: told of each strength, or epoch.
    """
    progress, plan = progress or Quiet(), plan or plan_of(training.features)
    options = FitOptions(len(training.labels), seed, threads, balance, sgd or SgdOptions(), training.rows("validation"))
    selection, test = training.rows("train", "validation"), training.rows("test")
    searched = _search(plan, selection, training, options, progress, on_metrics)
    fit, features = searched.fit, plain_of(plan.rows_of(searched.recipe))
    test_probabilities = fit.probabilities(take(features, test))
    return Measured(
        fit=fit,
        test=_evaluated(training, test, test_probabilities) if len(test) else None,
        test_rows=test,
        test_probabilities=test_probabilities,
        cross_validated=_evaluated(training, selection, fit.out_of_fold_probabilities) if fit.folds else None,
        folds=None,
        searched=searched,
        balance=_balance_of(searched, plan, selection, training, options),
        calibration=_calibration_of(fit, selection, training) if fit.folds else None,
    )


def _calibration_of(fit: HeadFit, selection: NDArray[np.int64], training: Training) -> Calibration:
    groups = [training.groups[row] for row in selection.tolist()]
    return measure_calibration(fit.out_of_fold_logits, training.targets[selection], fit.temperature, groups=groups)


def _balance_of(
    searched: Searched, plan: Plan, selection: NDArray[np.int64], training: Training, options: FitOptions
) -> BalanceEffect | None:
    groups = [training.groups[row] for row in selection.tolist()]
    rows = plan.rows_of(searched.recipe).take(selection)
    return measure_balance(searched.fit, rows, training.targets[selection], groups, options)


def _canonical(sample: Sample) -> tuple[str, str, str]:
    return (sample.digest, sample.label, sample.name)


def _evaluated(training: Training, rows: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Evaluation:
    groups = [training.groups[row] for row in rows.tolist()]
    return evaluate(probabilities, training.targets[rows], training.labels, groups=groups)


def _search(
    plan: Plan,
    selection: NDArray[np.int64],
    training: Training,
    options: FitOptions,
    progress: Progress,
    on_metrics: OnMetrics | None,
) -> Searched:
    if len(plan.candidates) == 1 and not plan.refinements:
        with _each_step_told(plan.candidates[0].recipe.head, options, progress, on_metrics) as on_step:
            return search(plan, selection, training.targets, training.groups, options, on_step=on_step)
    with progress.phase("try recipes") as phase:  # how many is known once the first ones have been compared
        return search(
            plan, selection, training.targets, training.groups, options, on_step=on_metrics, on_tried=phase.advance
        )


@contextlib.contextmanager
def _each_step_told(
    head: HeadKind, options: FitOptions, progress: Progress, on_metrics: OnMetrics | None
) -> Iterator[OnStep]:
    """A bar over strengths or epochs; it may end early, where further ones only get worse."""
    from trainer.strength_path import STRENGTHS

    with progress.phase("fit head", total=options.sgd.epochs if head == "sgd" else len(STRENGTHS)) as phase:

        def on_step(step: HeadStep) -> None:
            phase.advance(int(step.dataset == "validation"))
            if on_metrics is not None:
                on_metrics(step)

        yield on_step
