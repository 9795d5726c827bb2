"""`bench.featurize`: every side computes all pictures, and ratios are those of rounds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench import featurize_sides
from bench.drawn_pictures import drawn_pictures
from bench.featurize import _table
from bench.featurize_sides import (
    Job,
    Run,
    eager_alone,
    eager_batches,
    finial,
    folded,
    frozen,
    frozen_alone,
    narrow_runs,
    wide_runs,
)
from bench.featurize_steps import STEPS, measure_steps
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.backbones import build_backbone, choose_backbone, find_weights
from trainer.catalogue import NANO
from trainer.engines import OnnxEngine
from trainer.samples import Sample

SMALL = (60, 45)
PIXELS = np.zeros((TINY_SPEC.height, TINY_SPEC.width, 3), dtype=np.uint8)


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
def test_a_side_runs_and_leaves_nothing_behind(side: Callable[[Job], Run], job: Job) -> None:
    samples = drawn_pictures(job.pictures, 5, size=SMALL)

    run = side(job)
    run(samples)
    run(samples)  # nothing is known from the run before, or Finial's side would end the program

    assert sorted(path.name for path in job.pictures.parent.iterdir()) == ["graph.onnx", "pictures"]


def test_torch_is_tuned_and_computes_the_same() -> None:
    """Sides that are measured against each other do the same work."""
    entry, _ = choose_backbone(NANO, None)
    module = build_backbone(entry, find_weights(entry, None, download=False))
    pixels = torch.rand(2, 3, entry.spec.height, entry.spec.width, generator=torch.Generator().manual_seed(0))

    with torch.inference_mode():
        expected = module(pixels)
        found = [one(pixels) for one in (folded(module), frozen(module, entry.spec))]

    assert all(torch.allclose(one, expected, rtol=1e-3, atol=1e-4) for one in found)
    assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in folded(module).modules())


@pytest.mark.parametrize("side", [eager_alone, eager_batches, frozen_alone])
def test_a_side_of_torch_computes_every_picture(
    side: Callable[[Job], Run], job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven pictures: a whole batch and a rest."""
    seen = list[str]()

    def prepare(sample: Sample, _: object) -> NDArray[np.uint8]:
        seen.append(sample.name)
        return PIXELS

    monkeypatch.setattr(featurize_sides, "_prepare", prepare)
    samples = drawn_pictures(job.pictures, 11, size=SMALL)

    side(job.model_copy(update={"backbone": NANO}))(samples)

    assert sorted(seen) == [sample.name for sample in samples]


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
