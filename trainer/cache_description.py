"""What the parts in a folder of the cache are, for people: a small JSON file beside them. Nothing depends on it."""

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.files import write_atomically

DESCRIPTION = "description.json"


def describe(folder: Path, what: Mapping[str, Any]) -> None:
    """Say what a folder holds, once, and note that it was used now; a folder that cannot be written stays as it is.

    Args:
        folder: of the parts.
        what: in JSON's terms; `first_used` is added.
    """
    path = folder / DESCRIPTION
    with contextlib.suppress(OSError):
        if path.exists():
            os.utime(path)
        elif folder.is_dir():
            content = {**what, "first_used": datetime.now(UTC).isoformat(timespec="seconds")}
            write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def read_description(folder: Path) -> dict[str, Any]:
    """What was said of a folder; empty if nothing, or nothing that can be read."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads((folder / DESCRIPTION).read_bytes())
        if isinstance(content, dict):
            return content
    return {}


def last_used(folder: Path) -> float:
    """When a run last asked for what is in a folder, in seconds since 1970; else when its newest file was written."""
    with contextlib.suppress(OSError):
        return (folder / DESCRIPTION).stat().st_mtime
    return max((path.stat().st_mtime for path in folder.iterdir()), default=folder.stat().st_mtime)
