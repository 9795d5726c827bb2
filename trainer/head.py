"""The head: what stands on the frozen features, how a fit of it came about, and its file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.files import write_atomically
from trainer.live_metrics import HeadStep
from trainer.metrics import softmax
from trainer.recipe import HeadKind
from trainer.rows import Rows, blocks

_TENSORS = ("weight", "bias", "mean", "std")


@dataclass(frozen=True)
class Hidden:
    """A layer of rectified units between the standardised features and the last layer: max(0, x @ weight + bias).

    Attributes:
        weight: shape (D, H), float32.
        bias: shape (H,), float32.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """Standardise, then one linear layer: logits = ((features - mean) / std) @ weight + bias. All float32.

    With a hidden layer, that one reads the standardised features, and the linear layer reads its H units.

    Attributes:
        weight: shape (D, K), or (H, K).
        bias: shape (K,).
        mean: shape (D,), of the rows the head was fitted on.
        std: shape (D,), of the same rows; never 0.
        hidden: None for a linear head.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    hidden: Hidden | None = None

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw outputs, shape (N, K), for features of shape (N, D)."""
        rows: NDArray[np.float32] = (features - self.mean) / self.std
        if self.hidden is not None:
            rows = np.maximum(rows @ self.hidden.weight + self.hidden.bias, 0)
        return rows @ self.weight + self.bias


@dataclass(frozen=True)
class HeadFit:
    """A fitted head and how it came about.

    Attributes:
        head: fitted on every row that was passed in.
        l2: the strength of its penalty.
        swept: each strength that was tried with its cross-validated log loss in nats, from strong to weak; empty
            when the strength was fixed.
        out_of_fold_logits: shape (N, K): each row's logits from the head of the chosen strength that did not see its
            group. Without folds there are none, and the shape is (0, K).
        folds: how many folds the cross-validation had; 0 when there was none.
        note: a sentence on what was done differently from the plan; "" when all went by it.
        kind: what kind of head it is.
        temperature: probabilities are softmax(logits / temperature); 1 where it could not be measured.
        epochs: how many the head was fitted for; None where its solver has none.
        history: accuracy and cross-entropy after each epoch that was tried, in their order; empty where nothing was
            chosen by epochs.
        parts: the fits that a blend is the mean of; empty for other heads.
        is_whole: whether the head is fitted on every row; else it is the mean of the folds' heads, near that, and only
            what is out of fold counts.
    """

    head: Head
    l2: float
    swept: tuple[tuple[float, float], ...]
    out_of_fold_logits: NDArray[np.float32]
    folds: int
    note: str
    kind: HeadKind = "probe"
    temperature: float = 1.0
    epochs: int | None = None
    history: tuple[HeadStep, ...] = ()
    parts: "tuple[HeadFit, ...]" = ()
    is_whole: bool = True

    def probabilities(self, features: Rows) -> NDArray[np.float32]:
        """Shape (N, K), for features of shape (N, D)."""
        found = np.empty((len(features), len(self.head.bias)), np.float32)
        for start, block in blocks(features):
            found[start : start + len(block)] = softmax(self.head.logits(block) / self.temperature)
        return found

    @property
    def out_of_fold_probabilities(self) -> NDArray[np.float32]:
        """Shape (N, K), of `out_of_fold_logits` at the temperature that was chosen on them; (0, K) without folds."""
        if not len(self.out_of_fold_logits):
            return self.out_of_fold_logits
        return softmax(self.out_of_fold_logits / self.temperature).astype(np.float32)


def write_head(path: Path, head: Head) -> None:
    """Write head.safetensors: weight, bias, mean and std, and those of a hidden layer. Equal heads give equal bytes.

    Raises:
        OSError: the folder cannot be written.
    """
    from safetensors.numpy import save

    tensors = {name: getattr(head, name) for name in _TENSORS}
    if head.hidden is not None:
        tensors |= {f"hidden.{name}": getattr(head.hidden, name) for name in ("weight", "bias")}
    write_atomically(path, save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}))


def read_head(path: Path) -> Head:
    """Read a file written by `write_head`.

    Raises:
        OSError: the file cannot be read.
    """
    from safetensors.numpy import load

    tensors = load(path.read_bytes())
    hidden = Hidden(tensors["hidden.weight"], tensors["hidden.bias"]) if "hidden.weight" in tensors else None
    weight, bias, mean, std = (tensors[name] for name in _TENSORS)
    return Head(weight, bias, mean, std, hidden)
