import os
import platform
import time
from pathlib import Path

from bench.machine import CoresSpent, as_line, cores_spent, describe, stolen_share
from shared.cores import usable_cores


def test_a_machine_is_told_with_the_versions_of_what_is_installed() -> None:
    machine = describe("pytest", "no-such-distribution")

    assert machine["cores"] == usable_cores()
    assert "pytest" in machine["versions"]
    assert "no-such-distribution" not in machine["versions"]
    assert f"Python {platform.python_version()}" in as_line(machine)
    assert f"pytest {machine['versions']['pytest']}" in as_line(machine)


def test_what_the_machine_was_busy_counts_what_this_process_computes() -> None:
    before_s, mine = cores_spent().busy_s, time.process_time()
    while time.process_time() - mine < 0.2:
        pass

    assert cores_spent().busy_s - before_s > 0.1


def test_what_other_machines_kept_is_told_apart(tmp_path: Path) -> None:
    """On a shared host it is why the same work takes longer; a figure without it cannot be judged."""
    hundredths = os.sysconf("SC_CLK_TCK") // 100
    seconds = [1, 2, 3, 80, 4, 1, 1, 8, 0, 0]
    (tmp_path / "stat").write_text("cpu  " + " ".join(str(100 * one * hundredths) for one in seconds) + "\ncpu0 1 1\n")
    found = cores_spent(tmp_path / "stat")

    assert found == CoresSpent(busy_s=16.0, stolen_s=8.0, in_all_s=100.0)
    assert stolen_share(CoresSpent(6.0, 3.0, 50.0), found) == 0.1
    assert stolen_share(found, found) == 0
    assert cores_spent(tmp_path / "none") == CoresSpent(0.0, 0.0, 0.0)
