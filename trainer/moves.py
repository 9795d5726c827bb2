"""Pictures whose split is not the one that the data gives them, or not that of the current bundle: each is named."""

from pathlib import Path

from shared.bundle import read_metadata
from shared.errors import BundleError
from shared.publish import resolve
from trainer.progress import Progress
from trainer.split import find_moved, find_overruled
from trainer.split_file import read_split_file
from trainer.telling import name_each
from trainer.training import Training


def tell_moves(
    training: Training, *, model: Path, seed: int, shares: tuple[float, float, float], progress: Progress
) -> None:
    """Name each moved picture.

    Args:
        training: the samples with their splits.
        model: the folder of the model's versions; there may be none yet.
        seed, shares: of the split. Where the current bundle has others, every picture may have moved, as was asked for.
        progress: told.
    """
    overruled = find_overruled(training.samples, training.splits)
    name_each(progress, "held out more strictly than given, because a copy of them, or their group, is", overruled)
    try:
        current = resolve(model)
        split, before = read_metadata(current).split, read_split_file(current)
    except BundleError:  # there is no bundle yet, or it is damaged: nothing to compare with
        return
    if (split.seed, split.shares) == (seed, shares):
        moved = find_moved(training.samples, training.splits, before)
        name_each(progress, "in another split than in the current bundle", moved)
