"""bench.cuda_serving: what can be known of it without a CUDA device."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.cuda import why_no_cuda
from bench.cuda_serving import Figures, mean_batch, rate, report
from bench.serving import parse_metrics
from tests.service.bundles import publish_bundle
from tests.service.running import ROOT

PROGRAM = [sys.executable, "-m", "bench.cuda_serving"]


class Ticking(threading.local):
    """A clock of each thread's own, a second later each time that it is read."""

    def __init__(self) -> None:
        self.now = -1.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.mark.parametrize(("threads", "expected"), [(1, 8 * 3 / 4), (3, 3 * 8 * 3 / 4)])
def test_a_rate_counts_the_last_time_with_its_seconds_and_adds_up_threads(threads: int, expected: float) -> None:
    done = list[int]()

    found = rate(lambda: done.append(1), pictures=8, seconds=3.5, threads=threads, clock=Ticking())

    assert len(done) == 3 * threads  # after 1, 2 and 3 s there is time left, after 4 s there is none
    assert found == expected


def test_a_batch_is_what_was_run_between_two_looks() -> None:
    told = 'finial_batches_total{{model="a"}} {}\nfinial_batched_pictures_total{{model="a"}} {}\n'
    before, after = (parse_metrics(told.format(*counts)) for counts in ((10, 20), (14, 84)))

    assert mean_batch(before, after) == 16
    assert mean_batch(before, before) == 0


def test_the_service_is_told_as_shares_of_the_quickest_batch_and_of_decoding_with_what_limits_it() -> None:
    found = {
        "batches of 8": [Figures(1000.0)] * 3,
        "batches of 64": [Figures(4000.0)] * 3,
        "one thread": [Figures(200.0)] * 3,
        "16 threads": [Figures(3000.0)] * 3,
        "service": [Figures(2400.0, p50_ms=20.0, p99_ms=40.0, batch=31.0)] * 3,
    }

    lines = report(
        found,
        models=["batches of 8", "batches of 64"],
        one_core="one thread",
        all_cores="16 threads",
        served=["service"],
    )

    text = "\n".join(lines)
    assert "decoding on all cores gives 0.75 [0.75, 0.75] of what the model takes; 20.0 [20.0, 20.0] cores" in text
    assert "0.60 [0.60, 0.60] of batches of 64" in text
    assert "0.80 [0.80, 0.80] of 16 threads" in text
    assert "batches of 31.0" in text


def test_without_a_device_it_says_so_in_one_line_and_ends_well() -> None:
    if not why_no_cuda():
        pytest.skip("there is a CUDA device")

    run = subprocess.run(PROGRAM, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    (line,) = run.stdout.splitlines()
    assert line.startswith("nothing measured: CUDAExecutionProvider was asked for")


@pytest.mark.slow
def test_on_a_cpu_the_whole_program_can_be_tried(tmp_path: Path) -> None:
    bundle = publish_bundle(tmp_path)
    options = ["--device", "cpu", "--quick", "--model", str(bundle.path.parent), "--clients", "4"]

    run = subprocess.run([*PROGRAM, *options], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])["figures"]
    (served,) = figures["the service, --max-batch 16"]
    assert served["per_s"] > 0
    assert 1 <= served["batch"] <= 4
