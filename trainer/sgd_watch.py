"""How many epochs the SGD head gets: watched on rows that are held out, epoch by epoch, until the rule says stop."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.early_stopping import EarlyStopping, best_epoch
from trainer.errors.training import SgdDiverged
from trainer.head import Head
from trainer.live_metrics import HeadStep
from trainer.metrics import accuracy, log_loss, softmax
from trainer.recipe import FeatureRows
from trainer.sgd_epochs import SideBySide
from trainer.sgd_options import SgdOptions

OnStep = Callable[[HeadStep], None]


@dataclass(frozen=True)
class HeldOut:
    """Which of P fits learns from which of N rows, and which one each row is measured under.

    Attributes:
        members: shape (P, N).
        by: shape (N,), the fit that holds the row out; -1 where none does.
    """

    members: NDArray[np.bool_]
    by: NDArray[np.int64]


def by_folds(fold_of: NDArray[np.int64]) -> HeldOut:
    """Each fold by a fit of its own."""
    return HeldOut(fold_of != np.arange(fold_of.max() + 1)[:, None], fold_of)


def by_validation(validation: NDArray[np.int64], count: int) -> HeldOut:
    """Some of the rows, once."""
    held = np.isin(np.arange(count), validation)
    return HeldOut(~held[None], np.where(held, 0, -1))


@dataclass(frozen=True)
class Watched:
    """What was seen.

    Attributes:
        epochs: how many to fit for: up to the best one.
        history: of each epoch, in their order.
        logits: shape (N, K), of each row after the best epoch, under the fit that holds it out; 0 where none does.
    """

    epochs: int
    history: tuple[HeadStep, ...]
    logits: NDArray[np.float32]


class Descent:
    """The fits of one set of rows under one set of options."""

    def __init__(
        self,
        rows: FeatureRows,
        targets: NDArray[np.int64],
        weights: NDArray[np.float32],
        options: SgdOptions,
        *,
        class_count: int,
        seed: int,
    ) -> None:
        """`weights`, shape (N,), with the mean 1: how much each row counts in the loss."""
        self._rows, self._targets, self._weights, self._options = rows, targets, weights, options
        self._class_count, self._seed = class_count, seed

    def fit(self, epochs: int) -> Head:
        """The head that so many epochs over all rows give.

        Raises:
            SgdDiverged: the numbers grew beyond all bounds.
        """
        return self._run(np.ones((1, len(self._targets)), np.bool_), epochs).head(0)

    def watch(
        self, fold_of: NDArray[np.int64] | None, validation: NDArray[np.int64] | None, on_step: OnStep | None
    ) -> Watched | None:
        """Choose the epochs on the validation rows or on the folds; None where there are neither.

        Raises:
            SgdDiverged: the numbers grew beyond all bounds.
        """
        if validation is None:
            return None if fold_of is None else self._watch(by_folds(fold_of), on_step)
        watched = self._watch(by_validation(validation, len(self._targets)), on_step)
        held = None if fold_of is None else by_folds(fold_of)
        no_logits = np.zeros((0, self._class_count), np.float32)
        logits = no_logits if held is None else _of_held_out(self._run(held.members, watched.epochs).logits(), held)
        return replace(watched, logits=logits)

    def _start(self, members: NDArray[np.bool_]) -> SideBySide:
        return SideBySide(
            self._rows,
            self._targets,
            members,
            weights=self._weights,
            class_count=self._class_count,
            batch_size=self._options.batch_size,
            seed=self._seed,
        )

    def _run(self, members: NDArray[np.bool_], epochs: int) -> SideBySide:
        fits = self._start(members)
        for epoch in range(epochs):
            fits.run_epoch(epoch, self._options)
        _require_finite(fits.logits(), epochs - 1)
        return fits

    def _watch(self, held: HeldOut, on_step: OnStep | None) -> Watched:
        """Run epochs until the rule says stop; the best one counts, or the last one where there is no rule."""
        fits, curve, best = self._start(held.members), Curve(self._options.early_stopping), np.zeros(0, np.float32)
        for epoch in range(self._options.epochs):
            rate = fits.run_epoch(epoch, self._options)
            logits = _require_finite(fits.logits(), epoch)
            held_out = _of_held_out(logits, held)
            of_epoch = partial(_step, epoch=epoch, batches=fits.batches, learning_rate=rate)
            if self._options.test_on_train:
                targets = np.broadcast_to(self._targets, held.members.shape)[held.members]
                curve.add(of_epoch("train", logits[held.members], targets), on_step)
            rows = held.by >= 0
            curve.add(of_epoch("validation", held_out[rows], self._targets[rows]), on_step)
            best = held_out if curve.best == epoch else best
            if curve.is_over:
                break
        return Watched(curve.best + 1, tuple(curve.steps), best)


class Curve:
    """The epochs so far.

    Attributes:
        steps: all of them, in their order.
    """

    def __init__(self, rule: EarlyStopping | None) -> None:
        self.steps: list[HeadStep] = []
        self._rule, self._accuracies, self._losses = rule, list[float](), list[float]()

    def add(self, step: HeadStep, on_step: OnStep | None) -> None:
        """One more step; those on held-out rows are what the rule goes by."""
        self.steps.append(step)
        if step.dataset == "validation":
            self._accuracies.append(step.accuracy)
            self._losses.append(step.cross_entropy)
        if on_step is not None:
            on_step(step)

    @property
    def best(self) -> int:
        """The epoch to keep, from 0: the best one, or the last one where there is no rule."""
        if self._rule is None:
            return len(self._losses) - 1
        return best_epoch(self._accuracies, self._losses, self._rule.metric)

    @property
    def is_over(self) -> bool:
        """Whether the rule says stop."""
        if self._rule is None:
            return False
        return self._rule.should_stop(self._accuracies if self._rule.metric == "accuracy" else self._losses)


def _require_finite(logits: NDArray[np.float32], epoch: int) -> NDArray[np.float32]:
    if not np.isfinite(logits).all():
        raise SgdDiverged(epoch)
    return logits


def _of_held_out(logits: NDArray[np.float32], held: HeldOut) -> NDArray[np.float32]:
    """Each row's under the fit that holds it out, shape (N, K); 0 where none does."""
    chosen = logits[held.by, np.arange(len(held.by))]
    return np.where(held.by[:, None] >= 0, chosen, np.float32(0))


def _step(
    dataset: Literal["train", "validation"],
    logits: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    epoch: int,
    batches: int,
    learning_rate: float,
) -> HeadStep:
    """The numbers over all rows together; ML.NET averages over batches, so that rows of a short one weigh more."""
    probabilities = softmax(logits)
    numbers = accuracy(probabilities, targets), log_loss(probabilities, targets)
    return HeadStep(dataset, *numbers, epoch=epoch, batches=batches, learning_rate=learning_rate)
