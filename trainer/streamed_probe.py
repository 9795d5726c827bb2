"""The linear probe on rows that memory does not hold: fewer fits for the choice of the strength, the same optimum."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.folds import FOLDS, draw_folds
from trainer.head import Head, HeadFit
from trainer.lbfgs import minimise
from trainer.learned_rows import balanced_weights
from trainer.linear_probe import FIXED_STRENGTH, carried_over
from trainer.live_metrics import HeadStep
from trainer.rows_on_disk import RowsOnDisk
from trainer.standardise import floored, shrunk
from trainer.streamed_regression import StreamedRegression, deviations_of_fits, streamed_standardisation
from trainer.strength_path import FINAL_TOLERANCE, PATH_TOLERANCE, STRENGTHS, follow, rises_for_good
from trainer.sweep import torch_threads

_STRONGER = 2
"""Strengths that are tried on all rows beside the best of the sample."""

ONE_FOLD = "The strength was chosen on one fold of {folds}: the features stay on disk, where each pass costs."


def fit_streamed_probe(
    rows: RowsOnDisk,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    class_count: int,
    seed: int,
    threads: int,
    l2: float | None = None,
    near: Head | None = None,
    folds: int = FOLDS,
    balance: bool = False,
    on_step: Callable[[HeadStep], None] | None = None,
) -> HeadFit:
    """Fit a multinomial logistic regression on standardised features; see `fit_linear_probe`.

    The strength is chosen on the first fold alone, among those that are not much stronger than the best of a sample of
    the rows; the other folds are held out at that strength only. One fold of so many rows tells strengths apart.

    Args:
        rows: N rows of D features in a canonical order.
        targets: shape (N,), class indices in [0, class_count), each of them present.
        groups: N group ids; rows of one group are never in two folds.
        class_count, seed, threads, l2, near, folds, balance, on_step: as of `fit_linear_probe`.

    Raises:
        ValueError: the lengths differ, a class has no row, a feature is not finite, or l2 is not above 0.
        OSError: the file of the rows cannot be read.
    """
    if not len(rows) == len(targets) == len(groups):
        raise ValueError(f"{len(rows)} rows of features, {len(targets)} targets, {len(groups)} groups")
    if class_count < 2 or set(np.unique(targets).tolist()) != set(range(class_count)):
        raise ValueError(f"{class_count} classes, expected at least 2, all of them among the rows")
    if l2 is not None and not l2 > 0:
        raise ValueError(f"l2 = {l2}, expected above 0")
    drawn = draw_folds(targets, groups, folds, seed, is_known=l2 is not None)
    with torch_threads(threads):
        fits = _Fits.of(rows, targets, class_count, balance=balance)
        chosen = fits.choose(drawn.of_rows, on_step) if drawn.of_rows is not None else None
        strength = chosen.l2 if chosen else l2 or FIXED_STRENGTH
        weight, bias = fits.fit(strength, start=chosen.parameters if chosen else near)
    notes = [drawn.note("the strength", used=FIXED_STRENGTH), *([ONE_FOLD.format(folds=drawn.count)] if chosen else [])]
    return HeadFit(
        head=Head(weight, bias, fits.mean, fits.std),
        l2=strength,
        swept=chosen.losses if chosen else (),
        out_of_fold_logits=chosen.logits if chosen else np.zeros((0, class_count), np.float32),
        folds=drawn.count,
        note=" ".join(filter(None, notes)),
    )


def streamed_fold_logits(
    rows: RowsOnDisk,
    targets: NDArray[np.int64],
    fold_of: NDArray[np.int64],
    *,
    l2: float,
    near: Head,
    class_count: int,
    threads: int,
    balance: bool,
) -> NDArray[np.float32]:
    """Logits (N, K) of each row under a probe of this strength that did not see its fold, (N,).

    Args:
        rows, targets, class_count, threads, balance: as of `fit_streamed_probe`.
        fold_of: shape (N,).
        l2: the strength.
        near: a head of much the same rows.
    """
    with torch_threads(threads):
        fits = _Fits.of(rows, targets, class_count, balance=balance)
        start = torch.from_numpy(carried_over(near, fits.mean, fits.std))[None]
        return fits.hold_out(fold_of, l2, start)[0]


@dataclass(frozen=True)
class _Chosen:
    """As `Swept`; the losses are those of one fold."""

    l2: float
    losses: tuple[tuple[float, float], ...]
    logits: NDArray[np.float32]
    parameters: Tensor


@dataclass(frozen=True)
class _Fits:
    """Fits on the same rows, standardised with their `mean` and `std`; `weights` (N,) are theirs in the loss."""

    rows: RowsOnDisk
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    class_count: int
    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    @staticmethod
    def of(rows: RowsOnDisk, targets: NDArray[np.int64], class_count: int, *, balance: bool) -> "_Fits":
        weights = balanced_weights(targets, class_count) if balance else np.ones(len(targets), np.float32)
        return _Fits(rows, targets, weights, class_count, *streamed_standardisation(rows))

    def choose(self, fold_of: NDArray[np.int64], on_step: Callable[[HeadStep], None] | None) -> _Chosen:
        """The strength by the first fold; then all folds at that strength, for what they say of the rows held out."""
        first = self._problem((fold_of[:, None] != 0).astype(np.float32))
        losses, best = self._sweep(first, torch.from_numpy(fold_of == 0), on_step)
        strength = min(losses, key=losses.__getitem__)
        del first  # its sample
        logits, parameters = self.hold_out(fold_of, strength, best)
        return _Chosen(strength, tuple(losses.items()), logits, parameters.mean(0, keepdim=True))

    def hold_out(self, fold_of: NDArray[np.int64], l2: float, start: Tensor) -> tuple[NDArray[np.float32], Tensor]:
        """Logits (N, K) of each row under the fit without its fold, and the parameters of these fits.

        Args:
            fold_of: shape (N,).
            l2: the strength.
            start: parameters near theirs, shape (1, K, D + 1).
        """
        kept = (fold_of[:, None] != np.arange(fold_of.max() + 1)).astype(np.float32)
        every = self._problem(kept)
        parameters = _minimised(every, l2, start.expand(every.shape).clone(), PATH_TOLERANCE)
        return every.held_out_logits(parameters, fold_of), parameters

    def fit(self, l2: float, *, start: "Tensor | Head | None") -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights (D, K) and bias (K,) of one strength on all rows."""
        problem = self._problem(np.ones((len(self.targets), 1), np.float32))
        if start is None:
            near = [torch.zeros(problem.shape), *follow(problem.sample, [one for one in STRENGTHS if one > l2])][-1]
        elif isinstance(start, Head):
            near = torch.from_numpy(carried_over(start, self.mean, self.std))[None]
        else:
            near = start
        parameters = _minimised(problem, l2, near, FINAL_TOLERANCE)[0].numpy()
        return np.ascontiguousarray(parameters[:, :-1].T), np.ascontiguousarray(parameters[:, -1])

    def _sweep(
        self, problem: StreamedRegression, held_out: Tensor, on_step: Callable[[HeadStep], None] | None
    ) -> tuple[dict[float, float], Tensor]:
        """The held-out loss of each strength that was tried on all rows, and the parameters of the best.

        More rows want less penalty: what is best for the sample, in memory, is where to begin, a little stronger.
        """
        of_sample, near = _path_of_sample(problem, held_out)
        best = of_sample.index(min(of_sample))
        begin = max(0, best - _STRONGER)
        losses: list[float] = []
        chosen = torch.empty(0)
        for index, parameters in enumerate(follow(problem, STRENGTHS[begin:], near[begin]), start=begin):
            losses.append(float(problem.losses[held_out].double().mean()))
            if losses[-1] < min(losses[:-1], default=float("inf")):
                chosen = parameters
            if on_step is not None:
                accuracy = float(problem.hits[held_out].double().mean())
                on_step(HeadStep("validation", accuracy, losses[-1], strength_index=index, strength=STRENGTHS[index]))
            if rises_for_good(losses, always=_STRONGER + 1):
                break
        return dict(zip(STRENGTHS[begin:], losses, strict=False)), chosen

    def _problem(self, members: NDArray[np.float32]) -> StreamedRegression:
        """One fit for each column of members, (N, P), whose rows are standardised as if they weighed alike."""
        weighed = members * self.weights[:, None]
        return StreamedRegression(
            self.rows,
            self.targets,
            weighed,
            mean=self.mean,
            scale=self.std,
            std=self._own_deviations(members),
            class_count=self.class_count,
        )

    def _own_deviations(self, members: NDArray[np.float32]) -> NDArray[np.float32]:
        """Those of each fit's rows, once all are standardised, (P, D): 1 where they are all there are."""
        if members.all():
            return np.ones((members.shape[1], self.rows.shape[1]), np.float32)
        _, deviations = deviations_of_fits(self.rows, members)
        counts = members.sum(0, dtype=np.float64)[:, None]
        return (shrunk(floored(deviations), counts) / self.std).astype(np.float32)


def _path_of_sample(problem: StreamedRegression, held_out: Tensor) -> tuple[list[float], list[Tensor]]:
    """The loss of each strength on held-out rows of the sample, and its parameters."""
    of_sample = held_out[torch.from_numpy(problem.sampled)]
    losses: list[float] = []
    found: list[Tensor] = []
    for parameters in follow(problem.sample, STRENGTHS):
        losses.append(float(problem.sample.losses[of_sample].double().mean()))
        found.append(parameters)
        if rises_for_good(losses):
            break
    return losses, found


def _minimised(problem: StreamedRegression, l2: float, start: Tensor, tolerance: float) -> Tensor:
    problem.evaluate(start)
    problem.set_strength(l2)
    return minimise(problem, start, tolerance=tolerance)
