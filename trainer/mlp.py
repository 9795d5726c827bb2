"""A small perceptron on frozen features: one hidden layer, stopped when the folds say so."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.folds import FOLDS, draw_folds
from trainer.head import Head, HeadFit, Hidden
from trainer.learned_rows import LearnedRows, learned_rows
from trainer.linear_probe import check_rows
from trainer.live_metrics import HeadStep
from trainer.metrics import accuracy, log_loss, softmax
from trainer.recipe import FeatureRows

if TYPE_CHECKING:
    from torch import Tensor

UNITS = 64
MOST_EPOCHS = 60
FIXED_EPOCHS = 20
"""Used where there are too few groups to choose."""

_PATIENCE = 8
_BATCH = 128
_LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.1


def fit_mlp(
    rows: FeatureRows,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    class_count: int,
    seed: int,
    threads: int,
    epochs: int | None = None,
    folds: int = FOLDS,
    balance: bool = False,
    on_step: Callable[[HeadStep], None] | None = None,
) -> HeadFit:
    """Fit rectified units and a linear layer on them by AdamW in batches; the folds choose the number of epochs.

    One network for each fold descends in step with the others. After each epoch the rows that they had not seen are
    measured together; the epoch with the lowest log loss counts, and the head is fitted on all rows for as many.
    Equal inputs with an equal number of threads give equal bits on one kind of CPU.

    Args:
        rows, targets, groups, class_count, threads, folds, balance: as of `fit_linear_probe`.
        seed: of the folds, the first weights and the order of the rows.
        epochs: a number that is already known; nothing is then chosen, and there are no folds.
        on_step: told of each epoch.

    Source: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019 (AdamW).
    """
    check_rows(rows.plain, targets, groups, class_count)
    from trainer.sweep import torch_threads

    drawn = draw_folds(targets, groups, folds, seed, is_known=epochs is not None)
    with torch_threads(threads):
        history, logits, chosen = (
            _choose(rows, targets, drawn.of_rows, class_count, seed=seed, balance=balance, on_step=on_step)
            if drawn.of_rows is not None
            else ((), np.zeros((0, class_count), np.float32), FIXED_EPOCHS)
        )
        taken = chosen if epochs is None else epochs
        learned = learned_rows(rows.plain, targets, class_count=class_count, views=rows.views, balance=balance)
        network = _Network(learned, class_count, seed)
        for _ in range(taken):
            network.descend()
    return HeadFit(
        head=network.head(),
        l2=WEIGHT_DECAY,
        swept=(),
        out_of_fold_logits=logits,
        folds=drawn.count,
        note=drawn.note("the number of epochs", used=FIXED_EPOCHS),
        kind="mlp",
        epochs=taken,
        history=history,
    )


def _choose(
    rows: FeatureRows,
    targets: NDArray[np.int64],
    fold_of: NDArray[np.int64],
    class_count: int,
    *,
    seed: int,
    balance: bool,
    on_step: Callable[[HeadStep], None] | None,
) -> tuple[tuple[HeadStep, ...], NDArray[np.float32], int]:
    """What each epoch came to, the logits out of fold after the best one, and its number."""
    networks: list[tuple[NDArray[np.int64], _Network]] = []
    for fold in range(int(fold_of.max()) + 1):
        seen = np.flatnonzero(fold_of != fold)
        own = rows.take(seen)
        learned = learned_rows(own.plain, targets[seen], class_count=class_count, views=own.views, balance=balance)
        networks.append((np.flatnonzero(fold_of == fold), _Network(learned, class_count, seed)))
    history: list[HeadStep] = []
    best, best_epoch = np.zeros((len(targets), class_count), np.float32), 0
    for epoch in range(MOST_EPOCHS):
        logits = np.zeros_like(best)
        for held, network in networks:
            network.descend()
            logits[held] = network.head().logits(rows.plain[held])
        probabilities = softmax(logits)
        right, loss = accuracy(probabilities, targets), log_loss(probabilities, targets)
        history.append(HeadStep("validation", right, loss, epoch=epoch, learning_rate=_LEARNING_RATE))
        if on_step is not None:
            on_step(history[-1])
        if loss <= min(step.cross_entropy for step in history):
            best, best_epoch = logits, epoch
        if epoch - best_epoch >= _PATIENCE:
            break
    return tuple(history), best, best_epoch + 1


class _Network:
    """Weights on their way down; every epoch deals the rows anew, from the seed alone."""

    def __init__(self, rows: LearnedRows, class_count: int, seed: int) -> None:
        import torch

        self._rows = rows
        self._random = torch.Generator().manual_seed(seed)
        self._features, self._targets = torch.tensor(rows.features), torch.tensor(rows.targets)
        self._weights = torch.tensor(rows.weights) * (len(rows.weights) / float(rows.weights.sum()))
        size = rows.features.shape[1]
        self._parameters = [
            self._drawn(size, UNITS, spread=(2 / size) ** 0.5),
            torch.zeros(UNITS),
            self._drawn(UNITS, class_count, spread=UNITS**-0.5),
            torch.zeros(class_count),
        ]
        for parameter in self._parameters:
            parameter.requires_grad_()
        self._descent = torch.optim.AdamW(self._parameters, lr=_LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def descend(self) -> None:
        """One epoch."""
        import torch
        from torch.nn.functional import cross_entropy

        order = torch.randperm(len(self._features), generator=self._random)
        weight, bias, last, last_bias = self._parameters
        for batch in torch.split(order, _BATCH):
            units = (self._features[batch] @ weight + bias).relu()
            losses = cross_entropy(units @ last + last_bias, self._targets[batch], reduction="none")
            self._descent.zero_grad()
            torch.autograd.backward((losses * self._weights[batch]).mean())
            self._descent.step()

    def head(self) -> Head:
        """As it is now."""
        weight, bias, last, last_bias = (parameter.detach().numpy().copy() for parameter in self._parameters)
        return Head(last, last_bias, self._rows.mean, self._rows.std, Hidden(weight, bias))

    def _drawn(self, inputs: int, outputs: int, *, spread: float) -> "Tensor":
        import torch

        return torch.randn(inputs, outputs, generator=self._random) * spread
