"""Learning-rate schedules of the SGD head: what an epoch's batch is learned with. Pure functions of the progress.

Progress is counted in epochs: the first batch of the third epoch is at 2.0. Where ML.NET counts batches and rounds the
length of a decay down to whole ones, nothing is rounded here; for whole epochs the two agree.
"""

import math
from dataclasses import dataclass
from typing import Literal

ScheduleName = Literal["constant", "exponential", "polynomial", "linear-scaling"]

REFERENCE_BATCH = 128
"""The linear-scaling rule's base rate is meant for batches of this size."""


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""

    learning_rate: float = 0.01

    def rate(self, progress: float, *, batch_size: int) -> float:  # noqa: ARG002
        """At this progress, for batches of this size."""
        return self.learning_rate


@dataclass(frozen=True)
class ExponentialDecay:
    """learning_rate * decay_rate ^ (progress / decay_epochs), in steps (the exponent rounded down) or smooth.

    Source: ExponentialLRDecay of ML.NET, after tf.train.exponential_decay; its defaults.
    """

    learning_rate: float = 0.01
    decay_epochs: float = 2.0
    decay_rate: float = 0.94
    staircase: bool = True

    def rate(self, progress: float, *, batch_size: int) -> float:  # noqa: ARG002
        """At this progress, for batches of this size."""
        power = progress / self.decay_epochs
        return self.learning_rate * self.decay_rate ** (math.floor(power) if self.staircase else power)


@dataclass(frozen=True)
class PolynomialDecay:
    """From learning_rate down to end_learning_rate within decay_epochs, as (1 - progress / decay_epochs) ^ power.

    With `cycle`, a decay that is over begins anew, twice as long, then three times: never at the end rate for good.

    Source: PolynomialLRDecay of ML.NET, after tf.train.polynomial_decay; its defaults.
    """

    learning_rate: float = 0.01
    decay_epochs: float = 2.0
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def rate(self, progress: float, *, batch_size: int) -> float:  # noqa: ARG002
        """At this progress, for batches of this size."""
        length = self.decay_epochs
        if self.cycle:
            length *= max(1, math.ceil(progress / self.decay_epochs))
        left = 1 - min(progress, length) / length
        return float((self.learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate)


@dataclass(frozen=True)
class LinearScaling:
    """base_learning_rate * batch_size / 128, times the factor of the latest step that has begun.

    Attributes:
        base_learning_rate: for batches of 128.
        steps: (epoch it begins at, factor), in any order; before the first of them the factor is 1.

    Source: LsrDecay of ML.NET, after Goyal and others (2017), "Accurate, Large Minibatch SGD"; its defaults.
    """

    base_learning_rate: float = 0.1
    steps: tuple[tuple[float, float], ...] = ((91, 0.1), (136, 0.01), (182, 0.0001))

    def rate(self, progress: float, *, batch_size: int) -> float:
        """At this progress, for batches of this size."""
        begun = [step for step in self.steps if step[0] <= progress]
        return self.base_learning_rate * batch_size / REFERENCE_BATCH * (max(begun)[1] if begun else 1.0)


Schedule = Constant | ExponentialDecay | PolynomialDecay | LinearScaling


def learning_rate_at(
    schedule: Schedule, epoch: int, batch: int, *, batches: int, batch_size: int, warmup_epochs: float = 0.0
) -> float:
    """The rate of one batch; during the warm-up, a share of the schedule's that grows evenly up to 1.

    Args:
        schedule: what is followed.
        epoch, batch: from 0.
        batches: in an epoch.
        batch_size: as set, however many rows a batch really holds.
        warmup_epochs: 0 for none; the last batch within them is the first to have the whole rate.
            Source: Goyal and others (2017), section 2.2, there from 1 / (number of workers).
    """
    rate = schedule.rate(epoch + batch / batches, batch_size=batch_size)
    return rate * min(1.0, (epoch + (batch + 1) / batches) / warmup_epochs) if warmup_epochs else rate
