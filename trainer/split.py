"""Which split and which fold a sample belongs to: stable, by group, a pure function of the manifest."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.errors.splits import SharesInvalid
from trainer.manifest import Sample, Split
from trainer.split_repair import Intervals, repair

_ORDER: tuple[Split, Split, Split] = ("train", "validation", "test")


def split_groups(
    samples: Sequence[Sample], groups: Sequence[str], shares: tuple[float, float, float], seed: int
) -> tuple[Split, ...]:
    """The split of each sample.

    A group goes where its `group_position` falls, so shares are met in expectation and adding pictures moves no
    other one; only a class that lacks a split gets the group nearest that split's boundary. Splits that the data
    gives are kept, and one that it does not give is carved from its train split. A group that the data puts into
    two splits goes whole to the one held out more strictly: a picture that is trained on tests nothing.

    Args:
        samples: of one manifest, in any order.
        groups: the group of each.
        shares: of train, validation and test; they are scaled to the sum 1.
        seed: another seed, another assignment.

    Raises:
        SharesInvalid: a share is negative, or that of train is not above 0.
    """
    intervals = _intervals(shares, carved=_carved_splits(samples))
    held_out = _held_out_groups(samples, groups)
    assigned = {group: held_out.get(group) or _split_at(group_position(group, seed), intervals) for group in groups}
    labels_of = _labels_by_group(samples, groups)
    repaired = repair(
        assigned, labels_of, intervals, position=lambda group: group_position(group, seed), fixed=held_out
    )
    return tuple(repaired[group] for group in groups)


def group_position(group: str, seed: int) -> float:
    """Where a group lies in [0, 1): uniform, and the same whatever else is in the data."""
    return _hashed(f"split:{seed}:{group}")


def find_overruled(samples: Sequence[Sample], splits: Sequence[Split]) -> tuple[str, ...]:
    """Names of samples whose given split was not kept, because a duplicate of theirs is held out."""
    carved = _carved_splits(samples)
    return tuple(
        sample.name
        for sample, split in zip(samples, splits, strict=True)
        if sample.split not in (None, split) and not (sample.split == "train" and split in carved)
    )


def find_moved(samples: Sequence[Sample], splits: Sequence[Split], before: Mapping[str, str]) -> tuple[str, ...]:
    """Names of samples that an earlier run had in another split; `before` maps digests to their splits then."""
    pairs = zip(samples, splits, strict=True)
    return tuple(sample.name for sample, split in pairs if before.get(sample.digest, split) != split)


def make_folds(targets: NDArray[np.int64], groups: Sequence[str], k: int, seed: int) -> NDArray[np.int64]:
    """The fold, in [0, k), of each sample: groups stay whole, classes and sizes are spread evenly.

    Large groups are placed first, equal ones in the order of a seeded hash, each in the fold that holds least of
    its classes so far.

    Args:
        targets: shape (N,), class indices.
        groups: the group of each sample.
        k: how many folds, at least 2 and at most as many as there are groups.
        seed: another seed, another assignment.

    Raises:
        ValueError: k folds cannot be filled.
    """
    classes_of: dict[str, Counter[int]] = defaultdict(Counter)
    for target, group in zip(targets.tolist(), groups, strict=True):
        classes_of[group][target] += 1
    if not 2 <= k <= len(classes_of):
        raise ValueError(f"{len(classes_of)} groups cannot fill {k} folds")
    order = sorted(classes_of, key=lambda group: (-classes_of[group].total(), _hashed(f"fold:{seed}:{group}"), group))
    class_sizes = Counter(targets.tolist())
    held: list[Counter[int]] = [Counter() for _ in range(k)]
    sizes = [0] * k
    fold_of: dict[str, int] = {}
    for group in order:
        counts = classes_of[group]

        def crowding(fold: int, counts: Counter[int] = counts) -> tuple[float, int]:
            return sum(count * held[fold][c] / class_sizes[c] for c, count in sorted(counts.items())), sizes[fold]

        fold_of[group] = fold = min(range(k), key=crowding)
        held[fold].update(counts)
        sizes[fold] += counts.total()
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def _held_out_groups(samples: Sequence[Sample], groups: Sequence[str]) -> dict[str, Split]:
    """The groups that the data holds out; samples it gives to train may still be carved from."""
    held_out: dict[str, Split] = {}
    for sample, group in zip(samples, groups, strict=True):
        if sample.split in ("validation", "test"):
            held_out[group] = max(sample.split, held_out.get(group, sample.split), key=_ORDER.index)
    return held_out


def _carved_splits(samples: Iterable[Sample]) -> tuple[Split, ...]:
    """Train and the splits that the data does not give: what its undecided and train samples are divided into."""
    given = {sample.split for sample in samples}
    return tuple(split for split in _ORDER if split == "train" or split not in given)


def _intervals(shares: Sequence[float], *, carved: Sequence[Split]) -> Intervals:
    if len(shares) != 3 or not min(shares) >= 0 or not 0 < shares[0] < float("inf"):
        raise SharesInvalid(shares)
    wanted = [(split, share) for split, share in zip(_ORDER, shares, strict=True) if split in carved and share > 0]
    edges = np.cumsum([0.0, *(share for _, share in wanted)]) / sum(share for _, share in wanted)
    return {split: (float(edges[i]), float(edges[i + 1])) for i, (split, _) in enumerate(wanted)}


def _split_at(position: float, intervals: Intervals) -> Split:
    return next((split for split, (_, end) in intervals.items() if position < end), tuple(intervals)[-1])


def _labels_by_group(samples: Sequence[Sample], groups: Sequence[str]) -> dict[str, set[str]]:
    labels: dict[str, set[str]] = defaultdict(set)
    for sample, group in zip(samples, groups, strict=True):
        labels[group].add(sample.label)
    return labels


def _hashed(text: str) -> float:
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 11) / 2**53
