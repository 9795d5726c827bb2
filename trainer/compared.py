"""What backbones are beside each other: one line for each, and which of them no other one beats."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.action_result import columns
from trainer.intervals import Interval
from trainer.recipe import Precision

_HEADS = (
    "",
    "features of",
    "accuracy",
    "95 % interval",
    "log loss",
    "pictures/s",
    "latency",
    "mirror costs",
    "file",
    "train",
)
_FRONT = "*"


@dataclass(frozen=True)
class Compared:
    """One way to have features, and a model that reads them.

    Attributes:
        name: in words.
        backbones: their names; two where their features stand side by side.
        fit: how pictures are brought to the backbone's size.
        precision: that the backbone computes in.
        feature_size: D.
        accuracy: cross-validated, in [0, 1].
        accuracy_interval: of 95 %.
        log_loss: cross-validated, in nats.
        images_per_s: that one thread featurises, decoding included.
        latency_ms: of a single request, from the picture's bytes to its probabilities, on all threads.
        size_bytes: of the served graph.
        losses: cross-validated, in nats, of each picture, shape (N,), in one order for all that are compared.
        mirror: whether features are averaged with those of the mirror image.
        mirror_latency: how many times the latency is that without the mirror image; None where there is none.
        on_front: whether none of the others is both at least as accurate and at least as fast, and better in one.
    """

    name: str
    backbones: tuple[str, ...]
    fit: str
    precision: Precision
    feature_size: int
    accuracy: float
    accuracy_interval: Interval
    log_loss: float
    images_per_s: float
    latency_ms: float
    size_bytes: int
    losses: NDArray[np.float64] = field(repr=False, compare=False)
    on_front: bool = False
    mirror: bool = False
    mirror_latency: float | None = None

    @property
    def trainable(self) -> bool:
        """Whether `train` can make it a model."""
        return len(self.backbones) == 1

    def as_json(self) -> dict[str, Any]:
        """Plain values, keys always in the same order."""
        numbers = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "losses"}
        return {**numbers, "trainable": self.trainable}


def front_of(points: Sequence[tuple[float, float]]) -> list[bool]:
    """The Pareto front of (accuracy, latency): whether no other point is as good in both and better in one."""

    def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return one[0] >= other[0] and one[1] <= other[1] and one != other

    return [not any(beats(other, point) for other in points) for point in points]


def table_of(compared: Sequence[Compared]) -> str:
    """For the terminal, a line each in the order that is given; those on the front are marked."""
    lines = [
        (
            _FRONT if one.on_front else "",
            one.name,
            f"{one.accuracy:.3f}",
            f"{one.accuracy_interval[0]:.3f} to {one.accuracy_interval[1]:.3f}",
            f"{one.log_loss:.3f}",
            f"{one.images_per_s:.0f}",
            f"{one.latency_ms:.1f} ms",
            "" if one.mirror_latency is None else f"x {one.mirror_latency:.2f}",
            f"{one.size_bytes / 1e6:.1f} MB",
            "yes" if one.trainable else "no",
        )
        for one in compared
    ]
    notes = [f"{_FRONT} no other one is as accurate and as fast"]
    if any(one.mirror_latency is not None for one in compared):
        notes.append("mirror costs: latency with the mirror image over that without")
    if not all(one.trainable for one in compared):
        notes.append("two backbones side by side are to compare only: train takes one, and --backbone auto picks one")
    return "\n".join([columns([_HEADS, *lines]), *notes])
