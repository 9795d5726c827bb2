"""The head: a linear probe on frozen features, its L2 strength chosen by cross-validation, and its file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LinearHead:
    """Standardise, then one linear layer: logits = ((features - mean) / std) @ weight + bias. All float32.

    Attributes:
        weight: shape (D, K).
        bias: shape (K,).
        mean: shape (D,), of the rows the head was fitted on.
        std: shape (D,), of the same rows; never 0.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw outputs, shape (N, K), for features of shape (N, D)."""
        return ((features - self.mean) / self.std) @ self.weight + self.bias


@dataclass(frozen=True)
class HeadFit:
    """A fitted head and how its strength was chosen.

    Attributes:
        head: fitted on every row that was passed in.
        l2: the chosen strength.
        swept: each strength that was tried with its cross-validated log loss in nats, from strong to weak; empty
            when the strength was fixed.
        out_of_fold_logits: shape (N, K): each row's logits from the head of the chosen strength that did not see its
            group. With `folds` = 0 there are none, and the shape is (0, K).
        folds: how many folds the cross-validation had; 0 when there was none.
        note: a sentence on what was done differently from the plan; "" when all went by it.
    """

    head: LinearHead
    l2: float
    swept: tuple[tuple[float, float], ...]
    out_of_fold_logits: NDArray[np.float32]
    folds: int
    note: str


def fit_linear_probe(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    class_count: int,
    seed: int,
    threads: int,
    l2: float | None = None,
    folds: int = 5,
) -> HeadFit:
    """Fit a multinomial logistic regression on standardised features (DESIGN 4.4).

    Args:
        features: shape (N, D), rows in a canonical order (the result depends on it in the last bits).
        targets: shape (N,), class indices in [0, class_count).
        groups: N group ids; rows of one group are never in two folds.
        class_count: K, at least 2.
        seed: of the folds.
        threads: CPU threads; part of what makes the result reproducible.
        l2: a fixed strength instead of the sweep; out-of-fold logits are then computed for it all the same.
        folds: wanted number; a class with fewer groups lowers it.
    """
    raise NotImplementedError


def write_head(path: Path, head: LinearHead) -> None:
    """Write head.safetensors; equal heads give equal bytes."""
    raise NotImplementedError


def read_head(path: Path) -> LinearHead:
    """Read a file written by `write_head`."""
    raise NotImplementedError
