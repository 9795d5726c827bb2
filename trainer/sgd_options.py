"""How the SGD head descends: plain data, nothing heavy is imported to read it."""

from dataclasses import dataclass, field
from typing import Literal

from trainer.early_stopping import EarlyStopping
from trainer.schedules import ExponentialDecay, Schedule, learning_rate_at

LEARNING_RATE = 0.003
"""With momentum 0.9 it moves as far as 0.03 without."""


@dataclass(frozen=True)
class SgdOptions:
    """Names and meaning are ML.NET's; the values are Finial's own, measured in docs/decisions/0020-the-sgd-head.md.

    Attributes:
        epochs: at most so many.
        batch_size: rows of a step, at most; all batches of an epoch hold equally many, give or take one.
        schedule: of the learning rate.
        warmup_epochs: epochs in which the rate grows up to the schedule's.
        momentum: in [0, 1).
        weight_decay: the penalty weight_decay / 2 * |weight|^2, as the probe's l2; not of the bias.
        early_stopping: None runs all epochs and keeps the last.
        epochs_by: what the epochs are chosen on: each fold in turn, or the validation split alone, as ML.NET does.
        test_on_train: measure after each epoch what was learned from as well.
    """

    epochs: int = 200
    batch_size: int = 32
    schedule: Schedule = field(default_factory=lambda: ExponentialDecay(LEARNING_RATE))
    warmup_epochs: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 0.05
    early_stopping: EarlyStopping | None = field(default_factory=EarlyStopping)
    epochs_by: Literal["folds", "validation"] = "folds"
    test_on_train: bool = True

    def learning_rate_at(self, epoch: int, batch: int, *, batches: int) -> float:
        """The rate of one of an epoch's batches, all counted from 0."""
        return learning_rate_at(
            self.schedule,
            epoch,
            batch,
            batches=batches,
            batch_size=self.batch_size,
            warmup_epochs=self.warmup_epochs,
        )
