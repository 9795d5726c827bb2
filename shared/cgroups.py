"""Where Linux keeps what it allows this process: the folders of its cgroups, of both versions."""

from collections.abc import Sequence
from pathlib import Path

_MOUNT = "sys/fs/cgroup"


def folders_of(controllers: Sequence[str], root: Path = Path("/")) -> list[Path]:
    """Folders of the process's own cgroups up to their mounts; in a container usually just the mounts.

    Args:
        controllers: names that the mount of a controller has in version 1; version 2 has one mount for all.
        root: where /proc and /sys are looked for.
    """
    mounts = [root / _MOUNT, *(root / _MOUNT / name for name in controllers)]
    folders = []
    for line in read_file(root / "proc/self/cgroup").splitlines():
        own = line.split(":", 2)[-1].strip("/")
        for mount in mounts:
            folder = mount / own
            folders += [folder, *(parent for parent in folder.parents if parent.is_relative_to(mount))]
    return folders or mounts


def read_file(path: Path) -> str:
    """The text of a file of the system; "" where there is none."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
