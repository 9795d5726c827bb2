"""How many cores this process may use: its affinity and its cgroup's quota, not what the host has."""

import math
import os
from pathlib import Path

from shared.cgroups import folders_of, read_file

_V1_CONTROLLERS = ("cpu", "cpu,cpuacct")


def usable_cores(root: Path = Path("/")) -> int:
    """At least 1. A quota of 1.5 cores counts as 2: rounding down would leave a third of it unused.

    Args:
        root: where /proc and /sys are looked for.
    """
    quota = cpu_quota(root)
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """The smallest CPU quota, in cores, of this process's cgroup and those above it; None when there is none.

    Source: cpu.max in Documentation/admin-guide/cgroup-v2.rst, cpu.cfs_quota_us in scheduler/sched-bwc.rst of Linux.
    """
    quotas = [quota for folder in folders_of(_V1_CONTROLLERS, root) if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _quota_of(folder: Path) -> float | None:
    numbers = read_file(folder / "cpu.max").split()
    if not numbers:
        numbers = [read_file(folder / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):  # "max" and -1 mean no limit
        return None
    quota, period = map(int, numbers)
    return quota / period if period else None
