"""A process of a measurement that is told in lines what to do, and answers each with a line of JSON."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]


class ToldProcess:
    """Started by a `with` block and ended by it; it says something of itself first.

    Args:
        name: for people.
        command: what is run; what it prints besides belongs to stderr.

    Attributes:
        said: what it said of itself when it was ready.
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        self.said: Any = None

    def __enter__(self) -> Self:
        try:
            self.said = self._answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def tell(self, *words: object) -> Any:
        """Its answer to a line of these words.

        Raises:
            SystemExit: it has ended.
        """
        if self._process.stdin is not None:
            print(*words, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit(f"{self.name} ended without an answer; what it said is above")
        return json.loads(line)

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()
