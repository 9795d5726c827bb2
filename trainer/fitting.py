"""One fit for every kind of head: rows and targets in, a calibrated head out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from trainer.blend import blend
from trainer.calibration import fit_temperature
from trainer.head import HeadFit
from trainer.linear_probe import fit_linear_probe
from trainer.live_metrics import HeadStep
from trainer.mlp import fit_mlp
from trainer.prototype import fit_prototype
from trainer.recipe import FeatureRows, HeadKind
from trainer.sgd import fit_sgd
from trainer.sgd_options import SgdOptions

OnStep = Callable[[HeadStep], None]


@dataclass(frozen=True)
class FitOptions:
    """What all fits of a run share.

    Attributes:
        class_count: K.
        seed: of the folds, and of heads that start at random.
        threads: CPU threads of the solver.
        balance: every class weighs alike in the loss.
        sgd: how the SGD head descends.
        validation: numbers of the rows of the validation split; the SGD head may choose its epochs on them alone.
    """

    class_count: int
    seed: int
    threads: int
    balance: bool = False
    sgd: SgdOptions = field(default_factory=SgdOptions)
    validation: NDArray[np.int64] | None = None

    def for_rows(self, rows: NDArray[np.int64]) -> "FitOptions":
        """Those of a fit on these rows alone, which are then numbered from 0."""
        if self.validation is None:
            return self
        return replace(self, validation=np.flatnonzero(np.isin(rows, self.validation)))


def fit_head(
    kind: HeadKind,
    rows: FeatureRows,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    options: FitOptions,
    *,
    like: HeadFit | None = None,
    on_step: OnStep | None = None,
) -> HeadFit:
    """Fit a head, its hyper-parameters chosen by cross-validation, and its temperature on what the folds say.

    Args:
        kind: of head.
        rows: of N pictures, in a canonical order.
        targets: shape (N,), class indices, each present.
        groups: N group ids; rows of one group are never in two folds.
        options: of the run.
        like: an earlier fit of this kind, whose hyper-parameters and temperature are kept: nothing is chosen.
        on_step: told of each step.

    Raises:
        ValueError: the rows cannot be learned from.
    """
    if kind == "blend":
        fit = _fit_blend(rows, targets, groups, options, like, on_step)
    else:
        fit = _fit_alone(kind, rows, targets, groups, options, like, on_step)
    if like is not None:
        return replace(fit, temperature=like.temperature)
    of_folds = fit.out_of_fold_logits
    return replace(fit, temperature=fit_temperature(of_folds, targets[: len(of_folds)]))


class _Shared(TypedDict):
    """What every fit is told."""

    class_count: int
    seed: int
    threads: int
    balance: bool
    on_step: OnStep | None


def _fit_alone(
    kind: HeadKind,
    rows: FeatureRows,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    options: FitOptions,
    like: HeadFit | None,
    on_step: OnStep | None,
) -> HeadFit:
    """A head of one kind; what its folds choose is taken from `like`, if given."""
    shared: _Shared = {
        "class_count": options.class_count,
        "seed": options.seed,
        "threads": options.threads,
        "balance": options.balance,
        "on_step": on_step,
    }
    strength, epochs = (like.l2, like.epochs) if like else (None, None)
    if kind == "probe":
        near = like.head if like else None
        return fit_linear_probe(rows.plain, targets, groups, l2=strength, near=near, views=rows.views, **shared)
    if kind == "prototype":
        return fit_prototype(rows, targets, groups, shrinkage=strength, **shared)
    if kind == "mlp":
        return fit_mlp(rows, targets, groups, epochs=epochs, **shared)
    return fit_sgd(rows, targets, groups, options=options.sgd, validation=options.validation, epochs=epochs, **shared)


def _fit_blend(
    rows: FeatureRows,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    options: FitOptions,
    like: HeadFit | None,
    on_step: OnStep | None,
) -> HeadFit:
    """Steps are told of the probe alone, whose fit takes longest."""
    like_probe, like_prototype = like.parts if like else (None, None)
    probe = fit_head("probe", rows, targets, groups, options, like=like_probe, on_step=on_step)
    return blend(probe, fit_head("prototype", rows, targets, groups, options, like=like_prototype))
