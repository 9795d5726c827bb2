"""How much memory this process may use: its cgroup's limit, or what the machine has."""

import os
from pathlib import Path

from shared.cgroups import folders_of, read_file

_V1_CONTROLLERS = ("memory",)


def usable_memory(root: Path = Path("/")) -> int:
    """In bytes. What others use at the moment does not count, so that equal runs on one machine are told the same.

    Args:
        root: where /proc and /sys are looked for.
    """
    limit = memory_limit(root)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return machine if limit is None else min(machine, limit)


def memory_limit(root: Path = Path("/")) -> int | None:
    """The smallest limit, in bytes, of this process's cgroup and those above it; None where there is none.

    Source: memory.max in Documentation/admin-guide/cgroup-v2.rst, memory.limit_in_bytes in cgroup-v1/memory.rst of
    Linux.
    """
    limits = [limit for folder in folders_of(_V1_CONTROLLERS, root) if (limit := _limit_of(folder)) is not None]
    return min(limits, default=None)


def _limit_of(folder: Path) -> int | None:
    text = (read_file(folder / "memory.max") or read_file(folder / "memory.limit_in_bytes")).strip()
    return int(text) if text.isdigit() else None  # "max" means no limit
