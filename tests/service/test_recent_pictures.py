"""The window holds the latest pictures, and forgets those of yesterday."""

from service.recent_pictures import BLOCK_PICTURES, BLOCKS, OLDEST_S, RecentPictures
from tests.service.fakes import FakeClock


def test_an_empty_window_holds_nothing() -> None:
    found = RecentPictures(3).read()

    assert (found.pictures, dict(found.labels), list(found.novelty)) == (0, {}, [0, 0, 0])


def test_what_was_added_is_there() -> None:
    window = RecentPictures(3)
    for label, novelty_bin in [("cat", 0), ("dog", 2), ("cat", 2), ("cat", None)]:
        window.add(label, novelty_bin)

    found = window.read()

    assert (found.pictures, dict(found.labels), list(found.novelty)) == (4, {"cat": 3, "dog": 1}, [1, 0, 2])


def test_it_slides_by_blocks_and_is_bounded() -> None:
    window = RecentPictures(1)
    for _ in range(BLOCK_PICTURES):
        window.add("old", 0)
    for _ in range(BLOCK_PICTURES * (BLOCKS - 1)):
        window.add("new", 0)
    full = window.read()
    window.add("new", 0)
    slid = window.read()

    assert (full.pictures, full.labels["old"]) == (BLOCK_PICTURES * BLOCKS, BLOCK_PICTURES)
    assert (slid.pictures, slid.labels["old"]) == (BLOCK_PICTURES * (BLOCKS - 1) + 1, 0)


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

    assert dict(window.read().labels) == {"newer": 1}
