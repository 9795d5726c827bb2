"""trainer/counting.py: one picture, many pictures."""

import pytest

from trainer.counting import counted


@pytest.mark.parametrize(("count", "words"), [(0, "0 pictures"), (1, "1 picture"), (1204, "1,204 pictures")])
def test_only_one_is_one(count: int, words: str) -> None:
    assert counted(count, "picture") == words
