"""What a run learns from and what it measured: rows in canonical order, the held-out model, the final fit."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.cross_validation import CrossValidation, cross_validate
from trainer.errors import LabelNotInTrain
from trainer.evaluation import Evaluation, evaluate
from trainer.groups import find_groups
from trainer.head import HeadFit
from trainer.linear_probe import fit_linear_probe
from trainer.live_metrics import HeadStep, OnMetrics
from trainer.manifest import Manifest, Sample, Split
from trainer.metrics import softmax
from trainer.progress import Progress, Quiet
from trainer.split import split_groups


@dataclass(frozen=True)
class Training:
    """Usable samples in canonical order with features, targets, groups and splits.

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

    def fit(
        self,
        rows: NDArray[np.int64],
        *,
        seed: int,
        threads: int,
        l2: float | None = None,
        on_step: Callable[[HeadStep], None] | None = None,
    ) -> HeadFit:
        """The default head fitted on these rows; `l2` fixes the strength instead of sweeping it."""
        return fit_linear_probe(
            self.features[rows],
            self.targets[rows],
            [self.groups[row] for row in rows],
            class_count=len(self.labels),
            seed=seed,
            threads=threads,
            l2=l2,
            on_step=on_step,
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
        folds: the nested cross-validation of `--folds`; None when not asked for.
    """

    fit: HeadFit
    test: Evaluation | None
    test_rows: NDArray[np.int64]
    test_probabilities: NDArray[np.float32]
    cross_validated: Evaluation | None
    folds: CrossValidation | None


def targets_of(manifest: Manifest) -> NDArray[np.int64]:
    """The class index of each sample, shape (N,)."""
    index = {label: position for position, label in enumerate(manifest.labels)}
    return np.array([index[sample.label] for sample in manifest.samples], dtype=np.int64)


def arrange(
    manifest: Manifest,
    features: NDArray[np.float32],
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
        features=features[order],
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
    folds: int,
    progress: Progress | None = None,
    on_metrics: OnMetrics | None = None,
) -> Measured:
    """Choose the head without the test split, then measure it there.

    Args:
        training: what to learn from.
        seed: of the folds.
        threads: of the head fit.
        folds: of the nested cross-validation over all samples; 0 for none.
        progress: shows the strengths and the nested folds as they are done.
        on_metrics: told of each strength.
    """
    progress = progress or Quiet()
    selection, test = training.rows("train", "validation"), training.rows("test")
    with _each_strength_told(progress, on_metrics) as on_step:
        fit = training.fit(selection, seed=seed, threads=threads, on_step=on_step)
    test_probabilities = probabilities_of(fit.head.logits(training.features[test]))
    return Measured(
        fit=fit,
        test=_evaluated(training, test, test_probabilities) if len(test) else None,
        test_rows=test,
        test_probabilities=test_probabilities,
        cross_validated=_evaluated(training, selection, probabilities_of(fit.out_of_fold_logits))
        if fit.folds
        else None,
        folds=_nested(training, seed=seed, threads=threads, folds=folds, progress=progress) if folds else None,
    )


def final_fit(
    training: Training, measured: Measured, on: Literal["all", "train"], *, seed: int, threads: int
) -> HeadFit:
    """The head to publish: on every split with the strength that was chosen, or the measured one itself."""
    if on == "train" or not len(measured.test_rows):
        return measured.fit
    return training.fit(np.arange(len(training.samples)), seed=seed, threads=threads, l2=measured.fit.l2)


def probabilities_of(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax of logits, both (N, K)."""
    return softmax(logits).astype(np.float32)


def _canonical(sample: Sample) -> tuple[str, str, str]:
    return (sample.digest, sample.label, sample.name)


def _evaluated(training: Training, rows: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Evaluation:
    groups = [training.groups[row] for row in rows.tolist()]
    return evaluate(probabilities, training.targets[rows], training.labels, groups=groups)


@contextlib.contextmanager
def _each_strength_told(progress: Progress, on_metrics: OnMetrics | None) -> Iterator[Callable[[HeadStep], None]]:
    """A bar over the strengths; it may end early, where weaker ones only get worse."""
    from trainer.sweep import STRENGTHS

    with progress.phase("fit head", total=len(STRENGTHS)) as phase:

        def on_step(step: HeadStep) -> None:
            phase.advance()
            if on_metrics is not None:
                on_metrics(step)

        yield on_step


def _nested(training: Training, *, seed: int, threads: int, folds: int, progress: Progress) -> CrossValidation:
    return cross_validate(
        training.features,
        training.targets,
        training.groups,
        training.labels,
        folds=folds,
        seeds=(seed,),
        threads=threads,
        progress=progress,
    )
