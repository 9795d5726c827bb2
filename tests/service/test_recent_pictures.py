"""The window holds the latest pictures, and forgets those of yesterday."""

from collections import Counter

import pytest

from service.recent_pictures import BLOCK_PICTURES, BLOCKS, OLDEST_S, STRETCHES, Recent, RecentPictures
from tests.service.fakes import FakeClock


def labels(recent: Recent) -> dict[str, int]:
    """Pictures by label in the whole window."""
    found: Counter[str] = Counter()
    for stretch in recent.stretches:
        found.update(stretch.labels)
    return dict(found)


def test_an_empty_window_holds_nothing() -> None:
    found = RecentPictures(3).read()

    assert (found.pictures, list(found.stretches)) == (0, [])


def test_what_was_added_is_there() -> None:
    window = RecentPictures(3)
    for label, novelty_bin in [("cat", 0), ("dog", 2), ("cat", 2), ("cat", None)]:
        window.add(label, novelty_bin)

    found = window.read()

    (stretch,) = found.stretches
    assert (found.pictures, dict(stretch.labels), list(stretch.novelty)) == (4, {"cat": 3, "dog": 1}, [1, 0, 2])


def test_it_slides_by_blocks_and_is_bounded() -> None:
    window = RecentPictures(1)
    for _ in range(BLOCK_PICTURES):
        window.add("old", 0)
    for _ in range(BLOCK_PICTURES * (BLOCKS - 1)):
        window.add("new", 0)
    full = window.read()
    window.add("new", 0)
    slid = window.read()

    assert (full.pictures, labels(full)["old"]) == (BLOCK_PICTURES * BLOCKS, BLOCK_PICTURES)
    assert (slid.pictures, set(labels(slid))) == (BLOCK_PICTURES * (BLOCKS - 1) + 1, {"new"})


def test_a_block_of_yesterday_is_forgotten() -> None:
    """Else a drift would be told for weeks where nobody asks any more."""
    clock = FakeClock()
    window = RecentPictures(1, clock)
    for _ in range(BLOCK_PICTURES):
        window.add("old", 0)
    clock.advance(OLDEST_S / 2)
    window.add("newer", 0)
    clock.advance(OLDEST_S / 2)
    assert window.read().pictures == BLOCK_PICTURES + 1

    clock.advance(1)

    assert labels(window.read()) == {"newer": 1}


@pytest.mark.parametrize("blocks", [10, 15, 20, 21, 57, BLOCKS])
def test_stretches_are_few_but_enough_to_be_compared(blocks: int) -> None:
    window = RecentPictures(2)
    for number in range(BLOCK_PICTURES * blocks):
        window.add(str(number), number % 2)

    found = window.read().stretches

    assert 10 <= len(found) <= STRETCHES
    lengths = [stretch.labels.total() for stretch in found]
    assert set(lengths[:-1]) == {lengths[0]} and lengths[-1] <= lengths[0]
    assert [sum(stretch.novelty) for stretch in found] == lengths
    assert [next(iter(stretch.labels)) for stretch in found] == [str(lengths[0] * row) for row in range(len(found))]
