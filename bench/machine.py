"""On what a figure was measured: the machine and the versions that decide about speed."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

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
