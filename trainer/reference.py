"""What traffic is compared with once the model serves: what heads said about pictures that they had not seen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.bundle import ReferenceInfo
from shared.effective_count import effective_count, totals_of
from trainer.final_fit import rows_of_final
from trainer.head import HeadFit
from trainer.metrics import predicted_classes
from trainer.novelty import NoveltyFit
from trainer.training import Measured, Training

_NOVELTY_BINS = 20


def reference_of(
    training: Training, measured: Measured, final: HeadFit, novelty: NoveltyFit, *, test_is_alike: bool
) -> ReferenceInfo | None:
    """How often each label was predicted, out of fold and on the test split; None where nothing was held out.

    Args:
        training, measured, final: of the run.
        novelty: as fitted on the rows of `final`.
        test_is_alike: whether the test split was drawn from the same pictures. A named test set may be of others, and
            is never a reference, not even where there is no other.
    """
    rows, probabilities = _held_out(training, measured, test_is_alike=test_is_alike)
    if not len(rows):
        return None
    predicted = predicted_classes(probabilities)
    groups = _numbered([training.groups[row] for row in rows.tolist()])
    return ReferenceInfo(
        pictures=len(rows),
        groups=int(groups.max()) + 1,
        effective=effective_count(totals_of(predicted, groups)),
        counts=tuple(np.bincount(predicted, minlength=len(training.labels)).tolist()),
        novelty_effective=_effective_of_novelty(novelty, training, rows_of_final(training, measured, final)),
    )


def _held_out(
    training: Training, measured: Measured, *, test_is_alike: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Row numbers, and probabilities (rows, K) by a head that had not seen them."""
    parts = []
    if measured.cross_validated is not None:
        parts.append((training.rows("train", "validation"), measured.fit.out_of_fold_probabilities))
    if measured.test is not None and test_is_alike:
        parts.append((measured.test_rows, measured.test_probabilities))
    if not parts:
        return np.zeros(0, np.int64), np.zeros((0, len(training.labels)), np.float32)
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([one for _, one in parts])


def _effective_of_novelty(fit: NoveltyFit, training: Training, learned: NDArray[np.int64]) -> float | None:
    if fit.novelty is None:
        return None
    found = fit.novelty.scale.of(fit.distances)
    bins = np.minimum((found * _NOVELTY_BINS).astype(np.int64), _NOVELTY_BINS - 1)
    groups = _numbered([training.groups[row] for row in learned[fit.measured].tolist()])
    return effective_count(totals_of(bins, groups))


def _numbered(groups: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.array(groups, dtype=str), return_inverse=True)[1].astype(np.int64)
