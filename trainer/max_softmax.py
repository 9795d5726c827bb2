"""What the scores alone would notice of classes that were left out: the usual measure to hold novelty against."""

import numpy as np
from numpy.typing import NDArray

from trainer.left_out import some_rows, turns
from trainer.metrics import softmax
from trainer.rows import Rows, gather


def max_softmax_auroc(
    features: Rows,
    targets: NDArray[np.int64],
    fold_of: NDArray[np.int64],
    *,
    class_count: int,
    l2: float,
    threads: int,
) -> float | None:
    """How often a picture of a left-out class has a lower best score than a familiar one: mean over the classes.

    The classes, pictures and folds are those of `report_novelty`, so that the two numbers can be compared; a linear
    probe is fitted for each. None where no class could be left out.

    Args:
        features: shape (N, D).
        targets: shape (N,), class indices.
        fold_of: shape (N,), as `NoveltyFit.folds`.
        class_count: K.
        l2: the strength of the probes.
        threads: CPU threads of the solver.

    Source: D. Hendrycks and K. Gimpel, A baseline for detecting misclassified and out-of-distribution examples in
    neural networks, ICLR 2017.
    """
    from trainer.subset_fits import fit_subsets
    from trainer.sweep import torch_threads

    some = some_rows(len(features))
    left_out = [turn for turn in turns(targets[some], fold_of[some]) if len(np.unique(targets[some][~turn.unseen])) > 1]
    if not left_out:
        return None
    members = np.stack([~turn.unseen for turn in left_out], axis=1)
    with torch_threads(threads):
        (logits,) = fit_subsets(
            gather(features, some), targets[some], [members], strengths=[l2], class_count=class_count
        )
    found = [turn.auroc(-softmax(logits[:, place]).max(axis=1)) for place, turn in enumerate(left_out)]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None
