"""What a model is made of, besides its pictures: which features, which views, which head. Words, no work."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from trainer.rows import Rows
from trainer.rows_on_disk import RowsOnDisk

HeadKind = Literal["probe", "prototype", "blend", "mlp", "sgd"]
Precision = Literal["float32", "int8"]


@dataclass(frozen=True)
class FeatureChoice:
    """Which features a picture has.

    Attributes:
        spec: how it is prepared: size, fit.
        taps: stages of the backbone that are read beside the penultimate one, by the names of its modules; their
            pooled maps follow the penultimate features. See `trainer.taps`.
        precision: of the backbone graph.
        mirror: features are the mean of those of the picture and of its mirror image, inside the graph.
    """

    spec: PreprocessSpec
    taps: tuple[str, ...] = ()
    precision: Precision = "float32"
    mirror: bool = False

    @property
    def in_graph(self) -> tuple[object, ...]:
        """What is in its graph; choices of the same share it."""
        return (self.spec.height, self.spec.width, self.taps, self.mirror)


@dataclass(frozen=True)
class Recipe:
    """How a head is made.

    Attributes:
        features: which features it reads.
        head: its kind.
        views: how many augmented views of each picture it learns from, beside the plain one.
    """

    features: FeatureChoice
    head: HeadKind = "probe"
    views: int = 0


@dataclass(frozen=True)
class FeatureRows:
    """The features of N pictures under one choice.

    Attributes:
        plain: shape (N, D).
        views: shape (V, N, D), of augmented views; learned from, never measured on.
    """

    plain: NDArray[np.float32]
    views: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64]) -> "FeatureRows":
        """Those of some pictures, with their views."""
        return FeatureRows(self.plain[rows], self.views[:, rows])


RowsToFit = FeatureRows | RowsOnDisk
"""What a head is fitted on; on disk there are no views."""


def plain_of(rows: RowsToFit) -> Rows:
    """The features of the pictures as they are, shape (N, D)."""
    return rows if isinstance(rows, RowsOnDisk) else rows.plain


def rows_to_fit(features: Rows) -> RowsToFit:
    """Features (N, D) without any view."""
    return features if isinstance(features, RowsOnDisk) else plain_rows(features)


def plain_rows(features: NDArray[np.float32]) -> FeatureRows:
    """Features (N, D) without any view."""
    return FeatureRows(features, np.zeros((0, *features.shape), np.float32))
