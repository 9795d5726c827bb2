"""Featurising holds few pictures at once: its memory does not grow with their number."""

from pathlib import Path

import pytest

from bench.memory import run, write_pictures
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph

FEW, MANY = 500, 6_000
MOST_GROWTH_MB = 30.0  # the promise is 100 MB for 19,000 more pictures; a leaked picture is 28 kB


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    """Each run in a process of its own; the peak is the kernel's, read when the last picture has been computed."""
    (tmp_path / "graph.onnx").write_bytes(tiny_graph())
    (tmp_path / "graph.json").write_text(TINY_SPEC.model_dump_json())
    peaks = {}
    for count in (FEW, MANY):
        write_pictures(tmp_path / str(count) / "pictures", count)
        peaks[count] = run(tmp_path / str(count), tmp_path / "graph.onnx", 2)["computing"]

    assert peaks[MANY] - peaks[FEW] < MOST_GROWTH_MB
