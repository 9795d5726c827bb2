"""One fit for every kind of head: rows and targets in, a calibrated head out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from trainer.blend import blend
from trainer.calibration import fit_temperature
from trainer.head import HeadFit
from trainer.linear_probe import finish_linear_probe, fit_linear_probe
from trainer.live_metrics import HeadStep
from trainer.mlp import fit_mlp
from trainer.prototype import fit_prototype
from trainer.recipe import FeatureRows, HeadKind, RowsToFit
from trainer.rows_on_disk import RowsOnDisk
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
        is_compared: only what is out of fold counts; what is left over then is for `finish_head`.
    """

    class_count: int
    seed: int
    threads: int
    balance: bool = False
    sgd: SgdOptions = field(default_factory=SgdOptions)
    validation: NDArray[np.int64] | None = None
    is_compared: bool = False

    def for_rows(self, rows: NDArray[np.int64]) -> "FitOptions":
        """Those of a fit on these rows alone, which are then numbered from 0."""
        if self.validation is None:
            return self
        return replace(self, validation=np.flatnonzero(np.isin(rows, self.validation)))


def fit_head(
    kind: HeadKind,
    rows: RowsToFit,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    options: FitOptions,
    *,
    like: HeadFit | None = None,
    on_step: OnStep | None = None,
) -> HeadFit:
    """Fit a head, its hyper-parameters chosen by cross-validation, and its temperature on what the folds say.

    Args:
        kind: of head; on disk it must be a probe.
        rows: of N pictures, in a canonical order.
        targets: shape (N,), class indices, each present.
        groups: N group ids; rows of one group are never in two folds.
        options: of the run.
        like: an earlier fit of this kind, whose hyper-parameters and temperature are kept: nothing is chosen.
        on_step: told of each step.

    Raises:
        ValueError: the rows cannot be learned from.
    """
    if isinstance(rows, RowsOnDisk):
        fit = _fit_from_disk(kind, rows, targets, groups, options, like, on_step)
    elif kind == "blend":
        fit = _fit_blend(rows, targets, groups, options, like, on_step)
    else:
        fit = _fit_alone(kind, rows, targets, groups, options, like, on_step)
    if like is not None:
        return replace(fit, temperature=like.temperature)
    of_folds = fit.out_of_fold_logits
    return replace(fit, temperature=fit_temperature(of_folds, targets[: len(of_folds)]))


def finish_head(fit: HeadFit, rows: RowsToFit, targets: NDArray[np.int64], options: FitOptions) -> HeadFit:
    """The whole of a fit that was only compared, as if it had been made at once; a whole one as it is.

    Args:
        fit: by `fit_head`.
        rows, targets, options: as they were then.
    """
    if fit.is_whole or isinstance(rows, RowsOnDisk):  # those on disk are fitted whole at once
        return fit
    if fit.kind == "blend":
        probe, prototype = (finish_head(part, rows, targets, options) for part in fit.parts)
        return replace(blend(probe, prototype), temperature=fit.temperature)
    return finish_linear_probe(
        fit, rows.plain, targets, threads=options.threads, views=rows.views, balance=options.balance
    )


class _Shared(TypedDict):
    """What every fit is told."""

    class_count: int
    seed: int
    threads: int
    balance: bool
    on_step: OnStep | None


def _shared(options: FitOptions, on_step: OnStep | None) -> _Shared:
    return {
        "class_count": options.class_count,
        "seed": options.seed,
        "threads": options.threads,
        "balance": options.balance,
        "on_step": on_step,
    }


def _fit_from_disk(
    kind: HeadKind,
    rows: RowsOnDisk,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    options: FitOptions,
    like: HeadFit | None,
    on_step: OnStep | None,
) -> HeadFit:
    if kind != "probe":
        raise ValueError(f"a head of kind {kind} on rows that lie on disk; expected a probe")
    from trainer.streamed_probe import fit_streamed_probe

    strength, near = (like.l2, like.head) if like else (None, None)
    return fit_streamed_probe(rows, targets, groups, l2=strength, near=near, **_shared(options, on_step))


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
    shared = _shared(options, on_step)
    strength, epochs = (like.l2, like.epochs) if like else (None, None)
    if kind == "probe":
        near = like.head if like else None
        compared = options.is_compared
        return fit_linear_probe(
            rows.plain, targets, groups, l2=strength, near=near, views=rows.views, is_compared=compared, **shared
        )
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
