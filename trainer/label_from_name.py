"""The label that a picture's own path suggests, for showing it beside a prediction."""

import re
from collections.abc import Collection
from pathlib import Path

_LEADING_LETTERS = re.compile(r"^[^\W\d_]+")


def label_from_path(path: Path, labels: Collection[str]) -> str | None:
    """The parent folder's name, else the leading letters of the file name, if that is one of `labels`; else None."""
    if path.parent.name in labels:
        return path.parent.name
    letters = _LEADING_LETTERS.match(path.name)
    return letters.group() if letters and letters.group() in labels else None
