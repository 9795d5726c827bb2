"""Pairs that are alike -> groups in which all are: complete linkage, so that no chain of likenesses joins a class."""

from collections.abc import Callable, Iterable, Sequence

Pair = tuple[int, int]

_MEMBERS_COMPARED = 16


def link(pairs: Iterable[Pair], holds: Callable[[Sequence[Pair]], bool]) -> tuple[tuple[int, ...], ...]:
    """Join what the pairs name, most alike first, where each of one group is also like each of the other.

    Args:
        pairs: most alike first.
        holds: whether all of these pairs are alike enough to be in one group. Of large groups, 16 members speak.

    Returns:
        Groups of two or more, members ascending, in the order of their first members.
    """
    groups: dict[int, _Group] = {}
    for first, second in pairs:
        one, other = (groups.setdefault(row, _Group([row])) for row in (first, second))
        if one is other or other.number in one.unlike:
            continue
        across = [(a, b) for a in _some(one.members) for b in _some(other.members) if (a, b) != (first, second)]
        if across and not holds(across):
            one.refuse(other)
            continue
        one.take_in(other)
        for member in other.members:
            groups[member] = one
    together = {group.number: tuple(sorted(group.members)) for group in groups.values() if len(group.members) > 1}
    return tuple(sorted(together.values()))


class _Group:
    """Members so far, and the groups that they cannot be joined with; those stay unlike whatever is added to either."""

    def __init__(self, members: list[int]) -> None:
        self.number = members[0]
        self.members = members
        self.unlike: dict[int, _Group] = {}

    def refuse(self, other: "_Group") -> None:
        self.unlike[other.number] = other
        other.unlike[self.number] = self

    def take_in(self, other: "_Group") -> None:
        self.members.extend(other.members)
        for known in other.unlike.values():
            del known.unlike[other.number]
            self.refuse(known)


def _some(members: Sequence[int]) -> Sequence[int]:
    """All of a few members, of many some from the first to the last."""
    if len(members) <= _MEMBERS_COMPARED:
        return members
    return [members[index * (len(members) - 1) // (_MEMBERS_COMPARED - 1)] for index in range(_MEMBERS_COMPARED)]
