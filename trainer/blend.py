"""The blend: the mean of a probe and of a prototype head on the same features. One linear layer, like each of them."""

import numpy as np
from numpy.typing import NDArray

from trainer.head import Head, HeadFit


def blend(probe: HeadFit, prototype: HeadFit) -> HeadFit:
    """The mean of their logits, each divided by its temperature.

    One draws the border between the classes, the other describes the classes; they err on different pictures. Both are
    linear on features that are standardised alike, so that their mean costs no more in serving than one of them.

    Args:
        probe: a fit on some rows.
        prototype: a fit on the same rows, with the same folds.

    Returns:
        A fit whose own temperature is still to be measured. Its `l2` is that of the probe; `parts` holds both.

    Raises:
        ValueError: they were not fitted on the same rows.
    """
    one, other = probe.head, prototype.head
    if not (np.array_equal(one.mean, other.mean) and np.array_equal(one.std, other.std)):
        raise ValueError("the two heads do not standardise alike: they were not fitted on the same rows")
    return HeadFit(
        head=Head(
            weight=_mean(one.weight / probe.temperature, other.weight / prototype.temperature),
            bias=_mean(one.bias / probe.temperature, other.bias / prototype.temperature),
            mean=one.mean,
            std=one.std,
        ),
        l2=probe.l2,
        swept=(),
        out_of_fold_logits=_mean(
            probe.out_of_fold_logits / probe.temperature, prototype.out_of_fold_logits / prototype.temperature
        ),
        folds=probe.folds,
        note=probe.note,
        kind="blend",
        parts=(probe, prototype),
        is_whole=probe.is_whole and prototype.is_whole,
    )


def _mean(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((one + other) / 2, dtype=np.float32)
