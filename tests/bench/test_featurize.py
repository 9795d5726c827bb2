"""`bench.featurize`: every side computes all pictures, and ratios are those of rounds."""

from pathlib import Path

import pytest

from bench.drawn_pictures import drawn_pictures
from bench.featurize import _table, _why_no_cuda
from bench.featurize_sides import Job, finial, narrow_runs, wide_runs
from bench.featurize_steps import STEPS, measure_steps
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.engines import OnnxEngine

SMALL = (60, 45)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    graph = tmp_path / "graph.onnx"
    graph.write_bytes(tiny_graph())
    return Job(
        pictures=tmp_path / "pictures",
        graphs={"float32": graph},
        spec=TINY_SPEC,
        backbone="tiny",
        weights=None,
        threads=2,
    )


@pytest.mark.parametrize("side", [finial, narrow_runs, wide_runs])
def test_a_side_runs_and_leaves_nothing_behind(side: object, job: Job) -> None:
    samples = drawn_pictures(job.pictures, 5, size=SMALL)

    run = side(job)  # type: ignore[operator]
    run(samples)
    run(samples)  # nothing is known from the run before, or Finial's side would end the program

    assert sorted(path.name for path in job.pictures.parent.iterdir()) == ["graph.onnx", "pictures"]


def test_every_step_has_a_time(job: Job) -> None:
    samples = drawn_pictures(job.pictures, 5, size=SMALL)

    steps = measure_steps(samples, OnnxEngine(tiny_graph(), provider="cpu"), TINY_SPEC)

    assert tuple(steps) == STEPS
    assert all(spent > 0 for spent in steps.values())


def test_ratios_are_paired_by_round() -> None:
    """The machine was twice as fast in the second round; the ratio was the same."""
    rounds = [(100.0, 10.0), (200.0, 5.0)]
    ours = [{"per_s": speed, "cpu_ms": cost, "peak_mb": 1.0} for speed, cost in rounds]
    theirs = [{"per_s": 2 * speed, "cpu_ms": cost / 4, "peak_mb": 1.0} for speed, cost in rounds]

    line = _table({"finial": ours, "other": theirs}).splitlines()[-1]

    assert "0.500 [0.500, 0.500], by processor time 0.250 [0.250, 0.250]" in line


def test_why_there_is_no_cuda_is_said(job: Job) -> None:
    reason = _why_no_cuda(job)

    assert reason == "" or reason.startswith("CUDA: nothing measured, ")
