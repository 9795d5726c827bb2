"""Versions from elsewhere, kept on this machine: whole or not there, few of them, shared by several processes."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from shared.bundle import CURRENT_FILE, read_bundle
from shared.errors import BundleError, PublishConflict
from shared.files import write_atomically
from shared.lock import locked, locked_folder
from shared.publish import list_versions, read_current

_FETCHING_PREFIX, _REMOVED_PREFIX, _LOCK_FILE = ".fetching-", ".removed-", ".lock"
_ASK_AGAIN_S = 0.5


class ModelCache:
    """A folder of models as a publisher makes them, but each with few versions.

    Args:
        folder: one per address; made when it is needed.
        keep: versions to keep of each model: those that were used last.
    """

    def __init__(self, folder: Path, *, keep: int) -> None:
        self._folder, self._keep = folder, keep

    def obtain(
        self,
        name: str,
        version: str,
        *,
        expected: str | None,
        fetch: Callable[[Path], None],
        go_on: Callable[[], None],
    ) -> Path:
        """The folder of a version; it is fetched if it is not there, damaged, or of another content than expected.

        Args:
            name: the model's.
            version: which one.
            expected: its content hash; None when that cannot be asked.
            fetch: writes the whole bundle into a folder, and raises if it cannot.
            go_on: called while another process fetches; raises to give up.
        """
        parent = self._folder / name
        parent.mkdir(parents=True, exist_ok=True)
        with self._held(parent, go_on):
            _remove_leftovers(parent)
            path = parent / version
            if not _is_whole(path, expected):
                with _staging(parent) as staging:
                    fetch(staging)
                    _remove(path)
                    staging.rename(path)
            os.utime(path)  # used now: the last one to go
            self._prune(parent, used=version)
        return path

    def remember(self, name: str, version: str, go_on: Callable[[], None]) -> None:
        """Note which version of a model is served."""
        with self._held(self._folder / name, go_on):
            write_atomically(self._folder / name / CURRENT_FILE, f"{version}\n".encode())

    def remembered(self) -> Mapping[str, str]:
        """The version of each model that was served last, where it is still there."""
        found = {file.parent.name: _remembered_in(file.parent) for file in self._folder.glob(f"*/{CURRENT_FILE}")}
        return {name: version for name, version in found.items() if version is not None}

    def forget(self, name: str, go_on: Callable[[], None]) -> None:
        """Remove all of a model."""
        parent = self._folder / name
        if parent.is_dir():
            with self._held(parent, go_on):
                for version in list_versions(parent):
                    _remove(parent / version)
                (parent / CURRENT_FILE).unlink(missing_ok=True)
                _remove_leftovers(parent)

    @contextlib.contextmanager
    def _held(self, parent: Path, go_on: Callable[[], None]) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(locked(parent / _LOCK_FILE, wait_s=_ASK_AGAIN_S))
                    break
                except PublishConflict:
                    go_on()
            yield

    def _prune(self, parent: Path, *, used: str) -> None:
        kept = {used, _remembered_in(parent)}
        by_use = sorted(list_versions(parent), key=lambda version: (parent / version).stat().st_mtime, reverse=True)
        for version in by_use[self._keep :]:
            if version not in kept:
                _remove(parent / version)


def _remembered_in(parent: Path) -> str | None:
    try:
        version = read_current(parent)
    except BundleError:
        return None
    return version if (parent / version).is_dir() else None


def _is_whole(path: Path, expected: str | None) -> bool:
    try:
        found = read_bundle(path).metadata.content_sha256
    except (BundleError, OSError):
        return False
    return expected in (None, found)


@contextlib.contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    folder = parent / f"{_FETCHING_PREFIX}{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        with locked_folder(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path.rename(path.with_name(f"{_REMOVED_PREFIX}{secrets.token_hex(8)}")), ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    """What killed processes left. Under the lock of `parent`, which everyone holds who makes such names."""
    for pattern in (f"{_FETCHING_PREFIX}*", f"{_REMOVED_PREFIX}*"):
        for folder in parent.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)
    for file in parent.glob(f".{CURRENT_FILE}.*"):
        file.unlink(missing_ok=True)
