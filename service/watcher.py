"""Notices new versions, new models and models that are gone, by polling `current`. Survives whatever it finds there.

Polling, because a file's content is the one thing that every file system, network share and container volume agrees
on; notifications are lost on most of them.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from service.generation import Generation
from service.registry import FailedLoad, Registry
from shared.bundle import CURRENT_FILE, NAME_PATTERN
from shared.errors import FinialError
from shared.publish import read_current

logger = logging.getLogger(__name__)

LONGEST_BACK_OFF_S = 60.0


@dataclass(frozen=True)
class _Failure:
    """A version that could not be loaded, and when to try it again."""

    version: str | None
    attempts: int
    retry_at: float


class Watcher:
    """A thread that keeps a registry as the models folder says.

    Args:
        registry: what is kept.
        models_dir: one folder per model.
        open_version: makes a generation of a name and a version's folder.
        interval_s: time between two polls, and before the first retry of a failed load.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        registry: Registry,
        models_dir: Path,
        *,
        open_version: Callable[[str, Path], Generation],
        interval_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._models_dir, self._open_version = registry, models_dir, open_version
        self._interval_s, self._clock = interval_s, clock
        self._failures: dict[str, _Failure] = {}
        self._stop, self._looked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    @property
    def has_looked(self) -> bool:
        """Whether every model was tried at least once."""
        return self._looked.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10.0)

    def poll(self) -> None:
        """Look once at every model. Nothing that is found there raises."""
        try:
            folders = sorted(path for path in self._models_dir.iterdir() if _may_be_model(path))
        except OSError as error:  # the volume is away; what is loaded serves on
            self._note_failure("", None, error)
            return
        self._failures.pop("", None)
        for folder in folders:
            self._follow(folder)
        for name in set(self._registry.known()) - {folder.name for folder in folders}:
            self._registry.remove(name)
            self._failures.pop(name, None)
            logger.warning("model gone", extra={"model": name})

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.poll()
            except Exception:  # a watcher that dies would freeze every model at its version, unnoticed
                logger.exception("poll failed")
            self._looked.set()
            self._stop.wait(self._interval_s)

    def _follow(self, folder: Path) -> None:
        name, serving = folder.name, self._registry.find(folder.name)
        try:
            if serving is None and not _has_current(folder):
                return  # not a model, or not published yet
            version = _version_to_serve(folder)
        except Exception as error:
            self._note_failure(name, None, error)
            return
        if serving is not None and serving.version == version:
            self._failures.pop(name, None)
        elif self._is_due(name, version):
            self._load(name, version)

    def _load(self, name: str, version: str) -> None:
        started = self._clock()
        try:
            generation = self._open_version(name, self._models_dir / name / version)
        except Exception as error:  # a bundle is untrusted; whatever it provokes must not end the watcher
            self._note_failure(name, version, error)
            return
        self._registry.put(generation)
        self._failures.pop(name, None)
        took = {"model": name, "version": version, "load_s": round(self._clock() - started, 3)}
        logger.info("model loaded", extra=took | {"provider": generation.provider, "warnings": generation.warnings})

    def _is_due(self, name: str, version: str) -> bool:
        failure = self._failures.get(name)
        return failure is None or failure.version != version or self._clock() >= failure.retry_at

    def _note_failure(self, name: str, version: str | None, error: Exception) -> None:
        """Remember it for the next poll and for those who ask; log it the first time, and each time it was retried."""
        before = self._failures.get(name)
        is_repeated = before is not None and before.version == version
        attempts = before.attempts + 1 if before is not None and is_repeated else 1
        pause_s = min(LONGEST_BACK_OFF_S, self._interval_s * 2.0 ** min(attempts - 1, 30))
        self._failures[name] = _Failure(version, attempts, self._clock() + pause_s)
        message = str(error) if isinstance(error, FinialError) else f"{type(error).__name__}: {error}"
        if name:
            self._registry.note_failed_load(name, FailedLoad(version, message, datetime.now(UTC), attempts))
        if version is not None or not is_repeated:
            fields = {"model": name or None, "version": version, "error": message, "attempts": attempts}
            logger.error("load failed", extra=fields)


def _may_be_model(path: Path) -> bool:
    if path.name[0] == ".":
        return False
    try:
        return path.is_dir()
    except OSError:  # cannot be told; one that is served must not go for it, and any other fails by itself
        return True


def _has_current(folder: Path) -> bool:
    try:
        return (folder / CURRENT_FILE).exists()
    except PermissionError:  # lost+found is closed and none of ours; a closed folder with a model's name is reported
        return re.fullmatch(NAME_PATTERN, folder.name) is not None


def _version_to_serve(folder: Path) -> str:
    if not re.fullmatch(NAME_PATTERN, folder.name):
        raise ValueError(f"{folder.name!r} is not a model name; use small letters, digits, '.', '_' and '-'")
    return read_current(folder)
