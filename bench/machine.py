"""On what a figure was measured: the machine and the versions that decide about speed."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any, NamedTuple

from shared.cores import usable_cores

ALWAYS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "numpy", "pillow")


def describe(*packages: str) -> dict[str, Any]:
    """Processor, usable cores, memory in GB (10^9 bytes), load, Python, and the versions of packages.

    Args:
        packages: names of distributions beside those that always count; what is not installed is left out.
    """
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_gb": round(_memory_bytes() / 1e9, 1),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions(*ALWAYS, *packages),
    }


class CoresSpent(NamedTuple):
    """Seconds of all cores together since the machine was started; 0 where it does not tell.

    Attributes:
        busy_s: with whatever, and those that another machine on the same host kept.
        stolen_s: these alone.
        in_all_s: busy or idle.
    """

    busy_s: float
    stolen_s: float
    in_all_s: float


def cores_spent(stat: Path = Path("/proc/stat")) -> CoresSpent:
    """Source: proc(5): user, nice, system, idle, iowait, irq, softirq, steal, in ticks."""
    if not stat.exists():
        return CoresSpent(0.0, 0.0, 0.0)
    ticks = [int(one) / os.sysconf("SC_CLK_TCK") for one in stat.read_text().partition("\n")[0].split()[1:9]]
    _, _, _, idle, waiting, _, _, stolen = ticks
    return CoresSpent(sum(ticks) - idle - waiting, stolen, sum(ticks))


def stolen_share(before: CoresSpent, after: CoresSpent) -> float:
    """Of the time of all cores between two looks, the share that other machines on the host kept."""
    passed_s = after.in_all_s - before.in_all_s
    return (after.stolen_s - before.stolen_s) / passed_s if passed_s else 0.0


def as_line(machine: dict[str, Any]) -> str:
    """The same for people, on one line."""
    packages = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, "
        f"load {machine['load']:g}, {machine['system']}, Python {machine['python']}, {packages}"
    )


def versions(*packages: str) -> dict[str, str]:
    """Distribution -> version, of those that are installed."""
    found = dict[str, str]()
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = (text.partition(":")[2].strip() for text in lines if text.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
