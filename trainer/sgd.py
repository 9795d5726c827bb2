"""The SGD head, ML.NET's way of fitting: epochs of small batches, a schedule, early stopping; its faults mended."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.folds import FOLDS, NO_FOLDS, draw_folds, note_on_fewer_folds
from trainer.head import HeadFit
from trainer.learned_rows import balanced_weights
from trainer.linear_probe import check_rows
from trainer.live_metrics import HeadStep
from trainer.recipe import FeatureRows
from trainer.sgd_options import SgdOptions

if TYPE_CHECKING:
    from trainer.sgd_watch import Watched

FIXED_EPOCHS = 20
"""Run where they cannot be chosen: on small sets of photographs the best ones were 5 to 43."""


def fit_sgd(
    rows: FeatureRows,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    class_count: int,
    seed: int,
    threads: int,
    options: SgdOptions | None = None,
    validation: NDArray[np.int64] | None = None,
    epochs: int | None = None,
    folds: int = FOLDS,
    balance: bool = False,
    on_step: Callable[[HeadStep], None] | None = None,
) -> HeadFit:
    """Fit a softmax regression on standardised features by stochastic gradient descent.

    The number of epochs is chosen on held-out rows; the head is then fitted on all rows for as many. What is held out:
    each fold in turn, all of them side by side, so that every row is validated on once and no curve of a few rows is
    followed; or, as in ML.NET, the `validation` rows alone, which in the end are learned from as well.
    Equal inputs in an equal order with an equal number of threads give equal bits on one kind of CPU.

    Args:
        rows: of N pictures; in each epoch a picture is seen once, plain or in one of its views.
        targets: shape (N,), class indices in [0, class_count), each of them present.
        groups: N group ids; rows of one group are never in two folds.
        class_count: K, at least 2.
        seed: of the folds, and of the order in each epoch.
        threads: CPU threads.
        options: how to descend.
        validation: row numbers of the validation split, which decides on the epochs where the options say so.
        epochs: a number that is already known; nothing is then chosen, and there are no folds.
        folds: wanted number; a class with fewer groups lowers it, and below 2 there are none. Where nothing can be
            held out, FIXED_EPOCHS are run, or all of them without early stopping.
        balance: every class weighs alike in the loss, however many rows it has.
        on_step: told of each epoch, on what is learned from and on what is held out.

    Raises:
        SgdDiverged: the numbers grew beyond all bounds.
        ValueError: the lengths differ, a class has no row, or a feature is not finite.
    """
    check_rows(rows.plain, targets, groups, class_count)
    from trainer.sgd_watch import Descent
    from trainer.sweep import torch_threads

    options = options or SgdOptions()
    drawn = draw_folds(targets, groups, folds, seed, is_known=epochs is not None)
    weights = balanced_weights(targets, class_count) if balance else np.ones(len(targets), np.float32)
    alone = options.epochs_by == "validation"
    deciding = validation if alone and validation is not None and len(validation) else None
    descent = Descent(rows, targets, weights, options, class_count=class_count, seed=seed)
    with torch_threads(threads):
        watched = descent.watch(drawn.of_rows, deciding, on_step) if epochs is None else None
        chosen = epochs or (watched.epochs if watched else _unwatched_epochs(options))
        head = descent.fit(chosen)
    return HeadFit(
        head=head,
        l2=options.weight_decay,
        swept=(),
        out_of_fold_logits=watched.logits if watched else np.zeros((0, class_count), np.float32),
        folds=drawn.count,
        note=""
        if epochs is not None
        else _note(drawn.count, watched, options, wanted=folds, replaced=alone and deciding is None),
        kind="sgd",
        epochs=chosen,
        history=watched.history if watched else (),
    )


def _unwatched_epochs(options: SgdOptions) -> int:
    return min(options.epochs, FIXED_EPOCHS) if options.early_stopping else options.epochs


def _note(possible: int, watched: "Watched | None", options: SgdOptions, *, wanted: int, replaced: bool) -> str:
    """What was not as planned, or could be better."""
    notes = []
    if possible < 2:
        how = (
            "were chosen on the validation split"
            if watched
            else f"could not be chosen; {_unwatched_epochs(options)} were run"
        )
        notes.append(f"{NO_FOLDS}, so there are no folds, and the epochs {how}. Add pictures of the small classes.")
    elif possible < wanted:
        notes.append(note_on_fewer_folds(possible, wanted))
    if watched and replaced:
        notes.append("There is no validation split, so the folds decided on the epochs.")
    if watched and options.early_stopping and watched.epochs == options.epochs:
        notes.append(
            f"The last of {options.epochs} epochs was the best one: more may be better (--epochs), "
            "or a higher learning rate (--learning-rate)."
        )
    return " ".join(notes)
