"""Some pictures that stand for all, where the features of all are too many for memory."""

import numpy as np
from numpy.typing import NDArray

from trainer.group_sample import sample_groups
from trainer.training import Training

MOST_NUMBERS = 2**24
"""Features of so many numbers are held in memory, 64 MB: those of 13,107 pictures with 1,280 each."""


def some_of(training: Training, among: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """Row numbers, ascending, of about as many pictures as `MOST_NUMBERS` allows; see `sample_groups`.

    Args:
        training: with features on disk.
        among: row numbers to take from, ascending: whole groups.
        seed: another seed, other pictures.
    """
    groups = [training.groups[row] for row in among.tolist()]
    count = max(1, MOST_NUMBERS // training.features.shape[1])
    return among[sample_groups(training.targets[among], groups, count, seed)]
