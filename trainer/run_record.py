"""run.json: when, where, how long and with what a run was made. All that may differ between equal runs lives here."""

import contextlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

_PACKAGES = (
    "torch",
    "torchvision",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "onnxruntime-gpu",
    "numpy",
    "pillow",
    "pyarrow",
    "safetensors",
)


class Timings:
    """Seconds by step of one run, and when it started."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Add the time that the context takes to `step`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start


def tool_versions() -> dict[str, str]:
    """Python's version and those of the packages that influence a result."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def run_record(timings: Timings, *, threads: int, **facts: Any) -> dict[str, Any]:
    """The content of run.json."""
    return {
        "started_at": timings.started_at.isoformat(timespec="milliseconds"),
        "threads": threads,
        "seconds": {step: round(seconds, 3) for step, seconds in timings.seconds.items()},
        "host": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        },
        **facts,
    }
