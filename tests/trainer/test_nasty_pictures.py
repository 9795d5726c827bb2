"""Hostile, broken and unusual files on the trainer's road: each a row or a reason, soon, quietly, in little memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_CPU_S, MOST_MB = 2.0, 300

PROGRAM = """
import contextlib, json, sys, time
from pathlib import Path
import numpy as np
from shared.files import sha256_of_file
from shared.preprocess import PreprocessSpec
from trainer.manifest import PassedOver, Sample
from trainer.picture_rows import rows_of

class Means:
    identity, batch_size = "means", 1
    def single_threaded(self):
        return contextlib.nullcontext()
    def run(self, images):
        return images.mean((1, 2)).astype(np.float32)

found = {}
folder = Path(sys.argv[1])
for path in sorted(folder.rglob("*")):
    if path.is_file() and path.name != "MANIFEST.tsv":
        name = str(path.relative_to(folder))
        sample = Sample(str(path), name, "one", sha256_of_file(path), split=None)
        started = time.process_time()
        (row,) = rows_of([sample], Means(), PreprocessSpec(), threads=1)
        reason = row.reason if isinstance(row, PassedOver) else None
        size = None if reason else [row.statistics.width, row.statistics.height]
        found[name] = {"cpu_s": time.process_time() - started, "reason": reason, "size": size}
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(json.dumps({"files": found, "peak_mb": int(peak.split()[1]) / 1024}))
"""


@pytest.mark.slow
def test_every_file_is_a_row_or_a_named_reason_within_time_and_memory(shared_data: Path) -> None:
    """Time is the processor's, single-threaded, with ten times what any file takes: a busy machine changes nothing."""
    folder = shared_data / "datasets" / "nasty"
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout)

    listed = [line.split("\t") for line in (folder / "MANIFEST.tsv").read_text().splitlines()[1:]]
    sizes = {row[0]: row[4] for row in listed}
    assert set(found["files"]) >= set(sizes)
    for name, one in found["files"].items():
        assert one["cpu_s"] < MOST_CPU_S, name
        assert one["size"] is not None or len(one["reason"]) > 20, name
        if one["size"] is not None and "x" in sizes.get(name, ""):
            assert sorted(one["size"]) == sorted(map(int, sizes[name].split("x"))), name
    assert sum(one["size"] is not None for one in found["files"].values()) > 400
    assert found["peak_mb"] < MOST_MB
    assert run.stderr == ""
