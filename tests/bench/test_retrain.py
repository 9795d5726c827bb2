"""bench.retrain: what it learns from, and what it reads of a run's log."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from bench.retrain import CLASSES, Run, phases, tinted, write_pictures

SMALL = (60, 45)


def test_classes_differ_in_their_tint_and_have_equally_many_pictures(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path, 2 * CLASSES, SMALL)

    assert sorted(len(list(of_class.iterdir())) for of_class in folder.iterdir()) == [2] * CLASSES
    contents = {path.read_bytes() for path in folder.rglob("*.jpg")}
    assert len(contents) == 2 * CLASSES
    assert {Image.open(BytesIO(content)).size for content in contents} == {SMALL}


def test_pictures_that_are_there_are_kept(tmp_path: Path) -> None:
    """5,000 of them take a minute; what is drawn depends on the number alone."""
    first = write_pictures(tmp_path / "a", 3, SMALL) / "class-2" / "000002.jpg"
    written = first.stat().st_mtime_ns

    write_pictures(tmp_path / "a", 5, SMALL)
    again = write_pictures(tmp_path / "b", 5, SMALL) / "class-2" / "000002.jpg"

    assert first.stat().st_mtime_ns == written
    assert again.read_bytes() == first.read_bytes()


def test_a_tint_makes_channels_lighter_and_darker() -> None:
    grey = Image.new("L", (1, 1), 100)

    assert tinted(grey, np.array([10.0, 0.0, -200.0])).getpixel((0, 0)) == (110, 100, 0)


def test_a_phase_lasted_as_long_as_the_last_line_about_it_says() -> None:
    log = """{"event": "say", "text": "5 pictures"}
{"event": "progress", "phase": "fit head", "done": 3, "elapsed_s": 1.0}
a line of somebody else
{"event": "progress", "phase": "fit head", "done": 13, "elapsed_s": 1.25}
"""

    assert phases(log) == {"fit head": 1.25}


def test_sweep_and_fit_is_the_one_head_or_with_few_pictures_the_search_for_a_recipe() -> None:
    def run(**parts: float) -> Run:
        told = {f"phase: {name.replace('_', ' ')}": seconds for name, seconds in parts.items()}
        return Run(published=5.0, ended=8.0, processor=11.0, featurized=0, accuracy=0.9, parts=told)

    assert run(fit_head=1.5, fit_final_head=0.25).fitted == 1.5
    assert run(try_recipes=4.0, fit_final_head=0.25).fitted == 4.0
    assert "sweep and fit 4.00 s" in run(try_recipes=4.0).words
