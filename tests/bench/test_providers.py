"""Execution providers are measured in turn, each by a process that knows nothing of Finial."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.providers_side import measure, shape_of
from tests.service.bundles import publish_bundle
from tests.service.running import ROOT

WHERE = "FINIAL_OPENVINO_PYTHON"


def test_a_closed_loop_counts_the_runs_of_all_its_callers() -> None:
    runs: list[float] = []

    def run() -> None:
        runs.append(time.perf_counter())
        time.sleep(0.002)

    found = measure(run, callers=3, seconds=0.05)

    assert found["per_s"] > 0
    assert found["median_s"] >= 0.002
    assert len(runs) >= 3


def test_openvino_is_told_the_shape_that_the_golden_pictures_have(tmp_path: Path) -> None:
    """It takes another one without an error, and answers nonsense."""
    assert shape_of(str(publish_bundle(tmp_path).model_path)) == (1, 16, 16, 3)


@pytest.mark.slow
def test_both_sides_and_both_services_are_measured(tmp_path: Path) -> None:
    if not (python := os.environ.get(WHERE)):
        pytest.skip(f"{WHERE} names no environment with requirements/core, serve and onnxruntime-openvino")
    bundle = publish_bundle(tmp_path / "models")
    command = [sys.executable, "-m", "bench.providers", "--openvino", python, "--bundles", str(bundle.path.parent)]
    options = ["--rounds", "1", "--seconds", "0.1", "--served", "--cache-dir", str(tmp_path / "cache")]

    run = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    (found,) = json.loads(run.stdout.splitlines()[-1])["models"].values()
    assert found["OpenVINO, one picture a run"]["differs"]["probabilities"] < 1e-5
    assert found["served"]["OpenVINO"]["callers"]["8"]["per_s"][0] > 0
