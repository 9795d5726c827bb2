"""Memory is what this process may use, not what the host has."""

import os
from pathlib import Path

import pytest

from shared.memory import memory_limit, usable_memory


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="ascii")


def machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_without_a_limit_it_is_the_machines(tmp_path: Path) -> None:
    assert usable_memory(tmp_path) == machine()


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    write(tmp_path, "sys/fs/cgroup/memory.max", "1048576\n")

    assert usable_memory(tmp_path) == 1048576


def test_a_wide_limit_adds_no_memory(tmp_path: Path) -> None:
    write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")

    assert usable_memory(tmp_path) == machine()


def test_the_smallest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    """A pod's limit may be set above the container's own group."""
    write(tmp_path, "proc/self/cgroup", "0::/pod/container\n")
    write(tmp_path, "sys/fs/cgroup/pod/container/memory.max", "max\n")
    write(tmp_path, "sys/fs/cgroup/pod/memory.max", "2097152\n")

    assert memory_limit(tmp_path) == 2097152


def test_the_older_cgroup_version_is_read_too(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "9:memory:/docker/abc\n")
    write(tmp_path, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "3145728\n")

    assert memory_limit(tmp_path) == 3145728


@pytest.mark.parametrize("text", ["max", "-1", "", "nonsense"])
def test_what_is_no_limit_is_none(text: str, tmp_path: Path) -> None:
    write(tmp_path, "sys/fs/cgroup/memory.max", text)

    assert memory_limit(tmp_path) is None
