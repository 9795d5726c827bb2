"""Cores are what this process may use, not what the host has."""

import os
from pathlib import Path

import pytest

from shared.cores import cpu_quota, usable_cores


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="ascii")


def test_without_a_quota_affinity_decides(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))


def test_a_quota_below_one_core_still_gives_one(tmp_path: Path) -> None:
    write(tmp_path, "sys/fs/cgroup/cpu.max", "50000 100000\n")

    assert cpu_quota(tmp_path) == 0.5
    assert usable_cores(tmp_path) == 1


def test_a_wide_quota_does_not_add_cores(tmp_path: Path) -> None:
    write(tmp_path, "sys/fs/cgroup/cpu.max", "99900000 100000\n")

    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))


def test_the_smallest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    """A pod's limit may be set above the container's own group."""
    write(tmp_path, "proc/self/cgroup", "0::/pod/container\n")
    write(tmp_path, "sys/fs/cgroup/pod/container/cpu.max", "max 100000\n")
    write(tmp_path, "sys/fs/cgroup/pod/cpu.max", "150000 100000\n")

    assert cpu_quota(tmp_path) == 1.5


def test_the_older_cgroup_version_is_read_too(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n")
    write(tmp_path, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n")
    write(tmp_path, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")

    assert cpu_quota(tmp_path) == 3.0


@pytest.mark.parametrize("text", ["max 100000", "-1", "", "nonsense", "100000 0"])
def test_what_is_no_quota_is_none(text: str, tmp_path: Path) -> None:
    write(tmp_path, "sys/fs/cgroup/cpu.max", text)

    assert cpu_quota(tmp_path) is None
