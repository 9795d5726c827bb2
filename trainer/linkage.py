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
    groups: dict[int, list[int]] = {}
    refused: set[tuple[int, int, int, int]] = set()  # first members and sizes: groups that did not grow since
    for first, second in pairs:
        one, other = groups.setdefault(first, [first]), groups.setdefault(second, [second])
        both = (one[0], len(one), other[0], len(other))
        if one is other or both in refused:
            continue
        across = [(a, b) for a in _some(one) for b in _some(other) if (a, b) != (first, second)]
        if across and not holds(across):
            refused.add(both)
            continue
        one.extend(other)
        for member in other:
            groups[member] = one
    together = {id(group): tuple(sorted(group)) for group in groups.values() if len(group) > 1}
    return tuple(sorted(together.values()))


def _some(members: Sequence[int]) -> Sequence[int]:
    """All of a few members, of many some from the first to the last."""
    if len(members) <= _MEMBERS_COMPARED:
        return members
    return [members[index * (len(members) - 1) // (_MEMBERS_COMPARED - 1)] for index in range(_MEMBERS_COMPARED)]
