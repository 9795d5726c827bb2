"""Which of several models no other one beats, and how they are told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainer.compare_chart import draw_compared
from trainer.compared import Compared, front_of, table_of

SMALL = Compared(
    "nano, crop, int8", ("nano",), "crop", "int8", 416, 0.85, (0.80, 0.89), 0.41, 90.0, 8.0, 2_100_000, np.zeros(9)
)
LARGE = Compared(
    "large, crop, float32",
    ("large",),
    "crop",
    "float32",
    1280,
    0.9,
    (0.86, 0.94),
    0.3,
    30.0,
    25.0,
    8_800_000,
    np.zeros(9),
)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0.9, 20.0), (0.8, 10.0)], [True, True]),
        ([(0.9, 10.0), (0.8, 20.0)], [True, False]),
        ([(0.9, 10.0), (0.9, 20.0)], [True, False]),
        ([(0.9, 10.0), (0.8, 10.0)], [True, False]),
        ([(0.9, 10.0), (0.9, 10.0)], [True, True]),
        ([(0.9, 30.0), (0.85, 20.0), (0.84, 25.0), (0.8, 10.0)], [True, True, False, True]),
    ],
)
def test_the_front_is_what_no_other_one_beats_in_both(points: list[tuple[float, float]], expected: list[bool]) -> None:
    assert front_of(points) == expected


def test_the_table_has_a_line_for_each_and_marks_the_front() -> None:
    lines = table_of([replace_front(LARGE), SMALL]).splitlines()

    assert lines[1].startswith("*  large, crop, float32  0.900     0.860 to 0.940")
    assert "25.0 ms" in lines[1] and "8.8 MB" in lines[1]
    assert lines[2].startswith("   nano, crop, int8")
    assert len(lines) == 4


def replace_front(one: Compared) -> Compared:
    return replace(one, on_front=True)


@pytest.mark.parametrize("name", ["chart.svg", "chart.png"])
def test_the_chart_is_the_picture_file_that_was_asked_for_and_names_the_front(tmp_path: Path, name: str) -> None:
    draw_compared([replace_front(LARGE), SMALL], tmp_path / name)
    drawn = (tmp_path / name).read_bytes()
    draw_compared([replace_front(LARGE), SMALL], tmp_path / name)

    assert drawn == (tmp_path / name).read_bytes()
    if name.endswith(".svg"):
        assert b"large, crop, float32" in drawn and b"nano" not in drawn
    else:
        assert drawn.startswith(b"\x89PNG")
