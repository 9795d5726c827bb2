"""Several linear heads fitted side by side by stochastic gradient descent, each on its own rows, epoch by epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.head import Head
from trainer.recipe import FeatureRows
from trainer.sgd_options import SgdOptions
from trainer.standardise import shrunk_standardisation


@dataclass(frozen=True)
class Batch:
    """The rows that P fits learn from in one step; where a fit has fewer than B, the share of a filled place is 0.

    Attributes:
        rows: shape (P, B), row numbers.
        shares: shape (P, B), of each row in its fit's mean; they sum to 1.
    """

    rows: NDArray[np.int64]
    shares: NDArray[np.float32]


class SideBySide:
    """P softmax regressions on standardised features, all starting at zero, in lockstep.

    One step costs little more for six fits than for one: what takes the time is calling torch, not the sums.

    Attributes:
        batches: steps in an epoch, the same for all fits; batches of one epoch differ by at most one row.
    """

    def __init__(
        self,
        rows: FeatureRows,
        targets: NDArray[np.int64],
        members: NDArray[np.bool_],
        *,
        weights: NDArray[np.float32],
        class_count: int,
        batch_size: int,
        seed: int,
    ) -> None:
        """Start; `members` (P, N): which rows each fit learns from; `weights` (N,): how much they count."""
        self._renderings, self._count = 1 + len(rows.views), len(rows.plain)
        self._features = torch.tensor(np.concatenate([rows.plain[None], rows.views]))
        self._stacked = self._features.flatten(0, 1)
        self._targets, self._weights = targets, weights
        self._members = [np.flatnonzero(mask) for mask in members]
        scales = [shrunk_standardisation(self._of_members(mask), pictures=int(mask.sum())) for mask in members]
        self._mean, self._std = (torch.tensor(np.stack(part)) for part in zip(*scales, strict=True))
        self._seed = seed
        self.batches = -(-max(map(len, self._members)) // batch_size)
        shape = (len(members), rows.plain.shape[1], class_count)
        self._weight, self._bias = torch.zeros(shape), torch.zeros(shape[0], 1, class_count)
        self._pace, self._bias_pace = torch.zeros_like(self._weight), torch.zeros_like(self._bias)

    def run_epoch(self, epoch: int, options: SgdOptions) -> float:
        """Learn from every row once, in a new order; the learning rate of the last batch."""
        rate = 0.0
        for number, batch in enumerate(deal(self._members, self.batches, seed=self._seed, epoch=epoch)):
            rate = options.learning_rate_at(epoch, number, batches=self.batches)
            self._step(batch, self._seen(batch, epoch, number), rate, options.momentum, options.weight_decay)
        return rate

    def logits(self) -> NDArray[np.float32]:
        """Of every row under every fit, shape (P, N, K), on plain features."""
        weight = self._weight / self._std[:, :, None]
        shift = self._bias - self._mean[:, None] @ weight
        values: NDArray[np.float32] = (self._features[0] @ weight + shift).numpy()
        return values

    def head(self, fit: int) -> Head:
        """One of the P, as it is now."""
        tensors = (self._weight[fit], self._bias[fit, 0], self._mean[fit], self._std[fit])
        weight, bias, mean, std = (tensor.numpy().copy() for tensor in tensors)
        return Head(weight, bias, mean, std)

    def _of_members(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        chosen = self._features[:, torch.tensor(mask)]
        values: NDArray[np.float32] = chosen.reshape(-1, chosen.shape[-1]).numpy()
        return values

    def _seen(self, batch: Batch, epoch: int, number: int) -> Tensor:
        """The standardised features (P, B, D) that a batch shows: each row plain or in one of its views, by chance."""
        rows = batch.rows
        if self._renderings > 1:
            rng = np.random.default_rng([self._seed, epoch, 1 + number])
            rows = rows + self._count * rng.integers(self._renderings, size=rows.shape)
        values = self._stacked[torch.from_numpy(rows)]
        return values.sub_(self._mean[:, None]).div_(self._std[:, None])

    def _step(self, batch: Batch, features: Tensor, rate: float, momentum: float, weight_decay: float) -> None:
        """One step of SGD with momentum (Polyak's, as torch.optim.SGD has it); the bias does not decay."""
        residual = torch.baddbmm(self._bias, features, self._weight).softmax(-1)
        places = torch.from_numpy(self._targets[batch.rows])[..., None]
        residual.scatter_add_(-1, places, torch.full_like(residual[..., :1], -1.0))
        residual.mul_(torch.from_numpy(batch.shares * self._weights[batch.rows])[..., None])
        gradient = torch.bmm(features.mT, residual)
        if weight_decay:
            gradient.add_(self._weight, alpha=weight_decay)
        self._pace.mul_(momentum).add_(gradient)
        self._bias_pace.mul_(momentum).add_(residual.sum(1, keepdim=True))
        self._weight.add_(self._pace, alpha=-rate)
        self._bias.add_(self._bias_pace, alpha=-rate)


def deal(members: list[NDArray[np.int64]], batches: int, *, seed: int, epoch: int) -> Iterator[Batch]:
    """Each fit's rows, shuffled anew for the epoch and dealt out evenly.

    Args:
        members: for each fit, the rows it learns from; at least as many as there are batches.
        batches: how many to make.
        seed, epoch: what the orders depend on.
    """
    rng = np.random.default_rng([seed, epoch, 0])
    longest = max(-(-len(rows) // batches) for rows in members)
    dealt = [_dealt(rng.permutation(rows), batches, longest) for rows in members]
    rows, shares = (np.stack(parts, axis=1) for parts in zip(*dealt, strict=True))
    yield from map(Batch, rows, shares)


def _dealt(order: NDArray[np.int64], batches: int, longest: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows and shares of one fit, both (batches, longest)."""
    sizes = len(order) // batches + (np.arange(batches) < len(order) % batches)
    places = (sizes.cumsum() - sizes)[:, None] + np.arange(longest)
    shares = (np.arange(longest) < sizes[:, None]) / np.maximum(sizes, 1)[:, None]
    return order[np.minimum(places, len(order) - 1)], shares.astype(np.float32)
