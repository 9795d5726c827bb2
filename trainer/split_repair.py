"""The repair of an assignment to splits: no class goes without a split that it could have."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping

from trainer.manifest import Split

Intervals = Mapping[Split, tuple[float, float]]
"""Where each split lies in [0, 1): start (included) and end (not included)."""

# A class that is too small for all three is learned first, then tested; selection can do without validation.
_MOST_NEEDED_FIRST: tuple[Split, Split, Split] = ("train", "test", "validation")


def repair(
    assigned: Mapping[str, Split],
    labels_of: Mapping[str, Collection[str]],
    intervals: Intervals,
    *,
    position: Callable[[str], float],
    fixed: Collection[str],
) -> dict[str, Split]:
    """Give each class that lacks a split the group nearest that split's boundary.

    Args:
        assigned: the split of each group.
        labels_of: the labels of each group's samples.
        intervals: the splits that groups may be moved to, and where each lies.
        position: where a group lies in [0, 1).
        fixed: groups that may not be moved.

    Returns:
        The split of each group. A class with fewer movable groups than splits has train first, then test.
    """
    state = _Assignment(assigned, labels_of)
    movable: dict[str, list[str]] = defaultdict(list)
    for group in labels_of.keys() - set(fixed):
        for label in labels_of[group]:
            movable[label].append(group)

    def nearness(group: str, label: str, to: Split) -> tuple[bool, float, str]:
        start, end = intervals[to]
        return state.is_last(label, group), max(start - position(group), position(group) - end), group

    for label in sorted(movable):
        for to in (split for split in _MOST_NEEDED_FIRST if split in intervals and state.lacks(label, split)):
            candidates = [nearness(group, label, to) for group in movable[label] if state.can_move(group, label, to)]
            if candidates:
                state.move(min(candidates)[-1], to)
    return state.split_of


class _Assignment:
    """Which split each group is in, and how many groups of each label each split has."""

    def __init__(self, split_of: Mapping[str, Split], labels_of: Mapping[str, Collection[str]]) -> None:
        self.split_of = dict(split_of)
        self._labels_of = labels_of
        self._counts = Counter((label, self.split_of[group]) for group, labels in labels_of.items() for label in labels)

    def lacks(self, label: str, split: Split) -> bool:
        return not self._counts[label, split]

    def is_last(self, label: str, group: str) -> bool:
        return self._counts[label, self.split_of[group]] == 1

    def can_move(self, group: str, label: str, to: Split) -> bool:
        """Whether nothing is lost by it, or only what `label` needs less; other labels lose no split."""
        if any(self.is_last(other, group) for other in self._labels_of[group] if other != label):
            return False
        needed_more = _MOST_NEEDED_FIRST.index(to) < _MOST_NEEDED_FIRST.index(self.split_of[group])
        return needed_more or not self.is_last(label, group)

    def move(self, group: str, to: Split) -> None:
        for label in self._labels_of[group]:
            self._counts[label, self.split_of[group]] -= 1
            self._counts[label, to] += 1
        self.split_of[group] = to
