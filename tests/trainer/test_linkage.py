"""trainer/linkage.py: all of a group are alike, so no chain joins what only its neighbours are like."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from trainer.linkage import Pair, link


class Within:
    """Numbers are alike within a distance; counts how often it is asked."""

    def __init__(self, distance: int) -> None:
        self.distance = distance
        self.asked = 0

    def __call__(self, pairs: Sequence[Pair]) -> bool:
        self.asked += len(pairs)
        return all(abs(first - second) <= self.distance for first, second in pairs)


def test_a_pair_is_a_group() -> None:
    assert link([(1, 5)], Within(4)) == ((1, 5),)
    assert link([], Within(4)) == ()


def test_a_chain_is_cut_where_its_ends_are_not_alike() -> None:
    """Each picture of a long burst is like the next; the first and the last are not."""
    chain = [(number, number + 1) for number in range(100)]

    groups = link(chain, Within(3))

    assert max(map(len, groups)) <= 4
    assert len(groups) > 20


def test_the_most_alike_are_joined_first() -> None:
    assert link([(2, 3), (1, 2), (3, 4)], Within(1)) == ((2, 3),)


def test_groups_are_joined_only_if_each_of_one_is_like_each_of_the_other() -> None:
    assert link([(1, 2), (4, 5), (2, 4)], Within(4)) == ((1, 2, 4, 5),)
    assert link([(1, 2), (4, 5), (2, 4)], Within(3)) == ((1, 2), (4, 5))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda pair: pair[0] != pair[1])))
def test_all_pairs_of_a_group_are_alike(pairs: list[Pair]) -> None:
    within = Within(5)

    groups = link([pair for pair in pairs if within([pair])], within)

    assert all(max(group) - min(group) <= 5 for group in groups)
    assert len({member for group in groups for member in group}) == sum(map(len, groups))


def test_what_was_refused_is_not_asked_again() -> None:
    """Frames of a video are alike by the thousand; each pair of groups is compared once."""
    within = Within(3)
    pairs = [(number, number + step) for step in (1, 2, 3) for number in range(300)]

    link(pairs, within)

    assert within.asked < 1000


def test_large_groups_are_compared_by_some_of_their_members() -> None:
    """Ten thousand copies of one picture must not cost fifty million comparisons."""
    within = Within(10_000)

    groups = link([(0, other) for other in range(1, 2000)], within)

    assert [len(group) for group in groups] == [2000]
    assert within.asked < 40_000
