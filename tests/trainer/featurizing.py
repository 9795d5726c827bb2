"""A run of `featurize` in a process of its own: it can be killed at a picture, meet another run, or find the disk full.

    python -m tests.trainer.featurizing DATA CACHE [--kill-at N] [--meet MINE OTHERS] [--file-limit BYTES]

Prints one JSON object: how many pictures were computed, and a hash over every row of features and statistics.
"""

import argparse
import contextlib
import hashlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.errors import FinialError
from shared.files import sha256_of_file
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.featurize import Features, featurize
from trainer.manifest import Sample
from trainer.progress import Phase, Progress, Stretch

PATIENCE_S = 60.0


class Eventful:
    """Shows nothing, keeps warnings, and does something unusual at a picture."""

    def __init__(self, *, kill_at: int | None, meet: tuple[Path, Path] | None) -> None:
        self.warnings: list[str] = []
        self._kill_at = kill_at
        self._meet = meet

    @contextlib.contextmanager
    def phase(self, stretch: Stretch) -> Iterator[Phase]:
        yield Phase(self._show)

    def say(self, event: str, text: str, fields: dict[str, Any]) -> None:
        if event == "warning":
            self.warnings.append(text)

    def _show(self, done: int) -> None:
        if done == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._meet is not None and done == 1:
            mine, others = self._meet
            mine.touch()
            wait_for(others)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path}: the other run has not come")
        time.sleep(0.01)


def digest_of(found: Features) -> str:
    """Over everything that a later step may use."""
    table = found.statistics
    arrays = (found.values, table.grey, table.sharpness, table.brightness, table.contrast, table.difference_hash)
    content = b"".join(array.tobytes() for array in arrays) + repr((found.readable, table.digests)).encode()
    return hashlib.sha256(content).hexdigest()


def run(data: Path, cache: Path, display: Eventful) -> dict[str, Any]:
    samples = [Sample(str(path), path.name, "one", sha256_of_file(path), split=None) for path in sorted(data.iterdir())]
    found = featurize(samples, tiny_graph(), TINY_SPEC, cache_dir=cache, threads=2, progress=Progress(display))
    return {
        "featurized": found.featurized,
        "from_cache": found.from_cache,
        "rows": digest_of(found),
        "warnings": display.warnings,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--kill-at", type=int)
    parser.add_argument("--meet", type=Path, nargs=2)
    parser.add_argument("--file-limit", type=int)
    arguments = parser.parse_args()
    if arguments.file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (arguments.file_limit, arguments.file_limit))
    try:
        found = run(arguments.data, arguments.cache, Eventful(kill_at=arguments.kill_at, meet=arguments.meet))
        sys.stdout.write(json.dumps(found))
    except FinialError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
