"""A process that is told what to do: what it says, and that it does not stay."""

import sys

import pytest

from bench.told_process import ToldProcess

ADDS = """
import json, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    print(json.dumps(sum(map(int, line.split()))), flush=True)
"""


def test_each_line_has_its_answer() -> None:
    with ToldProcess("adds", [sys.executable, "-c", ADDS]) as adds:
        assert adds.said == {"ready": True}
        assert [adds.tell(1, 2), adds.tell(40, 2)] == [3, 42]


def test_one_that_ends_is_named() -> None:
    with pytest.raises(SystemExit, match="mute ended"), ToldProcess("mute", [sys.executable, "-c", "pass"]):
        pytest.fail("it said nothing of itself")
    with (
        pytest.raises(SystemExit, match="once ended"),
        ToldProcess("once", [sys.executable, "-c", "print(1, flush=True); input()"]) as once,
    ):
        once.tell("more")


def test_none_outlives_its_block() -> None:
    with ToldProcess("adds", [sys.executable, "-c", ADDS]) as adds:
        process = adds._process
        assert process.poll() is None

    assert process.poll() is not None
