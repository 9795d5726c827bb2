"""Reading of parts; what a feature store makes of them is tested with it."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from trainer.errors.caches import CachePartDamaged
from trainer.part_file import digests_in, write_part

ROOT = Path(__file__).resolve().parents[2]

COUNTS_THREADS = """
import os, sys
from pathlib import Path
import pyarrow.parquet
from trainer.part_file import digests_in

before = len(os.listdir("/proc/self/task"))
print(*digests_in(Path(sys.argv[1])), len(os.listdir("/proc/self/task")) - before)
"""


def test_digests_are_read_without_a_thread_that_could_outlive_it(tmp_path: Path) -> None:
    """Arrow's threads that read ahead abort now and then as the process ends, after all it had to say."""
    part = write_part(tmp_path, pa.table({"digest": ["ab", "cd"], "features": [[1.0], [2.0]]}))

    command = [sys.executable, "-c", COUNTS_THREADS, str(part)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "ab cd 0\n"


def test_a_part_without_digests_is_damaged(tmp_path: Path) -> None:
    without = write_part(tmp_path, pa.table({"features": [1.0]}))
    (no_parquet := tmp_path / "part-x.parquet").write_bytes(b"PAR1")

    for part in (without, no_parquet):
        with pytest.raises(CachePartDamaged):
            digests_in(part)
    with pytest.raises(FileNotFoundError):
        digests_in(tmp_path / "none")
