"""What is said of near duplicates: how far the search is, how many are kept together, which contradict the data."""

from collections.abc import Sequence

from trainer.counting import counted
from trainer.near_duplicates import Likeness, find_near_duplicates
from trainer.picture_statistics import StatisticsTable
from trainer.progress import Progress
from trainer.samples import Manifest, Sample
from trainer.telling import name_each
from trainer.training import Training, targets_of

_SHOWN = 4


def compare_pictures(manifest: Manifest, statistics: StatisticsTable, progress: Progress) -> Likeness:
    """`find_near_duplicates` with a bar; `statistics` has a row for each sample."""
    with progress.phase("compare pictures", total=len(manifest.samples)) as phase:
        return find_near_duplicates(statistics, targets_of(manifest), on_rows=phase.advance)


def tell_likeness(likeness: Likeness, samples: Sequence[Sample], training: Training, progress: Progress) -> None:
    """Say what was found, in one sentence, and name each group that spans given splits or labels.

    Args:
        likeness: of the samples.
        samples: as they were compared.
        training: the same, arranged.
        progress: told.
    """
    progress.say(_summary(likeness), near_duplicate_groups=len(likeness.groups), threshold=likeness.threshold)
    if likeness.note:
        progress.say(f"{likeness.note}.")
    together = [[samples[row] for row in group] for group in (*likeness.groups, *likeness.oversized)]
    across_splits = [group for group in together if len({sample.split for sample in group} - {None}) > 1]
    across_labels = [group for group in together if len({sample.label for sample in group}) > 1]
    oversized = [[samples[row] for row in group] for group in likeness.oversized]
    torn = _torn(likeness, samples, training)
    for what, sets, noun in (
        ("of near duplicates across the given splits", across_splits, "group"),
        ("of near duplicates under different labels, kept as they are", across_labels, "group"),
        ("of near duplicates with more than 5 % of a label, not kept together (--group-by can)", oversized, "group"),
        ("of near duplicates in two splits", torn, "pair"),
    ):
        name_each(progress, what, [_names(one) for one in sets], noun=noun)


def _summary(likeness: Likeness) -> str:
    if not likeness.groups:
        return "No near duplicates were found."
    pictures = sum(len(group) for group in likeness.groups)
    groups = counted(len(likeness.groups), "group")
    return f"{pictures:,} pictures are near duplicates of others; they are kept together in {groups}."


def _torn(likeness: Likeness, samples: Sequence[Sample], training: Training) -> list[list[Sample]]:
    """Pairs in two splits whose groups could not be joined."""
    split_of = {sample.digest: split for sample, split in zip(training.samples, training.splits, strict=True)}
    known = {row: number for number, group in enumerate(likeness.oversized) for row in group}
    pairs = [(samples[pair.first], samples[pair.second], pair) for pair in likeness.pairs]
    return [
        [first, second]
        for first, second, pair in pairs
        if split_of[first.digest] != split_of[second.digest] and known.get(pair.first, -1) != known.get(pair.second, -2)
    ]


def _names(group: Sequence[Sample]) -> str:
    shown = " = ".join(sample.name for sample in group[:_SHOWN])
    return f"{shown} and {len(group) - _SHOWN} more" if len(group) > _SHOWN else shown
