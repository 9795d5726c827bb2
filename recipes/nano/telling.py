"""Progress on the terminal or as JSON lines, and the sentences kept in a log file as well."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from trainer.progress import Progress


class Log(Progress):
    """Shows progress as the trainer does, and appends what it says to a file, one JSON object a line."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator["Log"]:
        """Append to the file at `path`."""
        with path.open("a", encoding="utf-8") as file:
            yield cls(file)

    def say(self, text: str, **fields: Any) -> None:
        """Show and keep one sentence."""
        super().say(text, **fields)
        self._file.write(json.dumps({"time_s": round(time.time(), 1), "text": text, **fields}) + "\n")
        self._file.flush()
