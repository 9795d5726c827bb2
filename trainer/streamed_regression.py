"""The same objective as `softmax_regression`, over rows on disk: a pass through the file for each evaluation.

Memory holds a block of rows, the losses of all of them, and a sample, which says how the objective is curved (a
preconditioner need not be exact); while all folds are held out, also the logits of all rows, 4 * N * K bytes.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.rows_on_disk import RowsOnDisk
from trainer.softmax_regression import SoftmaxRegression
from trainer.standardise import floored, shrunk

_SAMPLED = 32_768
"""Rows whose curvature stands for that of all: some 25 for each of 1,280 directions."""

_SAMPLED_LOGITS = 2**24
"""Fewer rows than that where fits and classes are many: 64 MB for each array of the sample's logits."""


class StreamedRegression:
    """For each fit p: mean log loss of its rows + l2 / 2 * |weight|^2 on features standardised over its rows.

    Parameters have shape (P, K, D + 1), as those of `SoftmaxRegression`, and the same optimum.

    Args:
        rows: N rows of D plain features.
        targets: shape (N,), class indices.
        members: shape (N, P), the weight of the row in the fit; 0 where it does not belong to it.
        mean, scale: shape (D,), what features are standardised with.
        std: shape (P, D), deviations of standardised features over each fit's rows; never 0.
        class_count: K.
    """

    def __init__(
        self,
        rows: RowsOnDisk,
        targets: NDArray[np.int64],
        members: NDArray[np.float32],
        *,
        mean: NDArray[np.float32],
        scale: NDArray[np.float32],
        std: NDArray[np.float32],
        class_count: int,
    ) -> None:
        self._rows = rows
        self._targets = torch.tensor(targets)
        self._row_weights = torch.tensor(members / members.sum(0, dtype=np.float64), dtype=torch.float32)
        self._mean, self._scale = torch.tensor(mean), torch.tensor(scale)
        self._inverse_std = (1 / torch.tensor(std))[:, None, :]
        self._l2 = 0.0
        self.dtype = torch.float32
        self.shape = (members.shape[1], class_count, rows.shape[1] + 1)
        self.losses = torch.empty(len(rows), members.shape[1])
        """Of the last evaluation, the log loss of each row under each fit, in nats: shape (N, P)."""
        self.hits = torch.empty(len(rows), members.shape[1], dtype=torch.bool)
        """Of the last evaluation, whether the likeliest class of each row is its own: shape (N, P)."""
        self._last = torch.zeros(self.shape)
        self.sampled = _drawn(len(rows), at_most=min(_SAMPLED, _SAMPLED_LOGITS // (members.shape[1] * class_count)))
        """Numbers of the rows whose curvature stands for that of all, ascending."""
        self.sample = self._sample_of(targets, members, mean, scale, std)
        """The same fits on these rows alone, in memory."""

    def set_strength(self, l2: float) -> None:
        """Choose the strength; must come before `precondition`. The minimum is expected near the last evaluation."""
        self._l2 = l2
        self.sample.evaluate(self._last)
        self.sample.set_strength(l2)

    def evaluate(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Objectives (P,) and gradients (P, K, D + 1)."""
        self._last = parameters
        fits, classes, _ = self.shape
        by_row = torch.zeros(fits * classes, len(self._scale), dtype=torch.float64)
        by_bias, values = torch.zeros(fits, classes, dtype=torch.float64), torch.zeros(fits, dtype=torch.float64)
        for start, block, logits in self._blocks(parameters):
            end, log_probabilities = start + len(block), logits.log_softmax(2)
            targets, weights = self._targets[start:end], self._row_weights[start:end]
            self.losses[start:end] = -log_probabilities.gather(2, _of_each_fit(targets, fits)).squeeze(2)
            values += (self.losses[start:end] * weights).sum(0, dtype=torch.float64)
            self.hits[start:end] = log_probabilities.argmax(2) == targets[:, None]
            residuals = log_probabilities.exp_()
            residuals[torch.arange(len(block)), :, targets] -= 1
            residuals *= weights[:, :, None]
            by_row += residuals.flatten(1).T @ block
            by_bias += residuals.sum(0, dtype=torch.float64)
        by_feature = by_row / self._scale
        weight = parameters[..., :-1]
        penalties = self._l2 / 2 * weight.square().flatten(1).sum(1)
        gradients = torch.empty_like(parameters)
        gradients[..., :-1] = by_feature.float().view(weight.shape) * self._inverse_std + self._l2 * weight
        gradients[..., -1] = by_bias
        return values.float() + penalties, gradients

    def precondition(self, gradients: Tensor) -> Tensor:
        """The gradients times the inverse of an approximate Hessian, that of the sampled rows."""
        return self.sample.precondition(gradients)

    def held_out_logits(self, parameters: Tensor, folds: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (N, K) of each row under the fit p that is its fold, (N,)."""
        found = np.empty((len(self._rows), self.shape[1]), np.float32)
        for start, _, logits in self._blocks(parameters):
            end = start + len(logits)
            found[start:end] = logits[torch.arange(len(logits)), torch.tensor(folds[start:end])].numpy()
        return found

    def _blocks(self, parameters: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Where a block begins, its features (B, D) about their mean, and logits (B, P, K)."""
        weight = (parameters[..., :-1] * self._inverse_std / self._scale).flatten(0, 1)
        bias = parameters[..., -1].flatten()
        for start, rows in self._rows.blocks():
            block = torch.from_numpy(rows).sub_(self._mean)
            yield start, block, torch.addmm(bias, block, weight.T).view(len(block), *self.shape[:2])

    def _sample_of(
        self,
        targets: NDArray[np.int64],
        members: NDArray[np.float32],
        mean: NDArray[np.float32],
        scale: NDArray[np.float32],
        std: NDArray[np.float32],
    ) -> SoftmaxRegression:
        features = torch.from_numpy((self._rows.take(self.sampled).together() - mean) / scale)
        of_sample = torch.tensor(targets[self.sampled]), torch.tensor(members[self.sampled])
        return SoftmaxRegression(features, *of_sample, torch.tensor(std), class_count=self.shape[1])


def streamed_standardisation(
    rows: RowsOnDisk, *, pictures: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """As `shrunk_standardisation`, in one pass."""
    everyone = np.ones((len(rows), 1), np.float32)
    mean, std = deviations_of_fits(rows, everyone)
    own = shrunk(floored(std), np.float64(pictures or len(rows)))
    return mean[0].astype(np.float32), own[0].astype(np.float32)


def deviations_of_fits(
    rows: RowsOnDisk, members: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and standard deviations (P, D) of features over the rows of each fit, members (N, P), in one pass.

    Raises:
        ValueError: a feature is not a finite number.
    """
    about = (
        next(rows.blocks())[1].mean(axis=0, dtype=np.float64).astype(np.float32)
    )  # squares of what is left cancel less
    total, squares = np.zeros((2, members.shape[1], rows.shape[1]))
    for start, block in rows.blocks():
        centred, weights = block - about, members[start : start + len(block)].T
        total += weights @ centred
        squares += weights @ np.square(centred, out=centred)
    if not np.isfinite(squares).all():
        raise ValueError("a feature is not a finite number")
    counts = members.sum(0, dtype=np.float64)[:, None]
    mean = total / counts
    return mean + about, np.sqrt(np.maximum(squares / counts - np.square(mean), 0))


def _drawn(count: int, *, at_most: int) -> NDArray[np.int64]:
    """Drawn, since a stride may agree with the order of folds or classes; always the same."""
    if count <= at_most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, at_most, replace=False))


def _of_each_fit(targets: Tensor, fits: int) -> Tensor:
    return targets[:, None, None].expand(-1, fits, 1)
