"""Where models come from: what a watcher asks of such a place, and the folder on this machine that is the plainest."""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from service.store_errors import StoreUnreachable
from shared.bundle import CURRENT_FILE, METADATA_FILE, MODEL_FILE, NAME_PATTERN, read_bundle
from shared.errors import BundleInvalid, ModelMissing
from shared.publish import list_versions, read_current

_WRITTEN_WITHIN_S = 0.05


class ModelStore(Protocol):
    """A place of models, each a name with versions and a `current`. Any method may be called from any thread.

    Attributes:
        origin: the place, as it may be printed.
        recheck_s: how often a version that is served is looked at for changes; they are not expected.
    """

    origin: str
    recheck_s: float

    def names(self) -> frozenset[str]:
        """Names of the models that are there.

        Raises:
            StoreUnreachable: that cannot be told just now.
        """

    def current(self, name: str) -> str:
        """The version of a model that is to be served.

        Raises:
            ModelMissing: nothing says so.
            BundleInvalid: what says so names no version.
            StoreUnreachable: nobody answers.
        """

    def obtain(self, name: str, version: str) -> Path:
        """The version's folder on this machine.

        Raises:
            ModelMissing: there is no such version.
            BundleError: it is not whole.
            StoreUnreachable: nobody answers.
        """

    def versions(self, name: str) -> Sequence[str]:
        """Names of the versions of a model that can be named without asking anybody far away, newest first."""

    def state(self, name: str, version: str) -> str:
        """A text that changes when the version's files do; quick. Raises StoreUnreachable."""

    def content(self, name: str, version: str) -> str:
        """The content hash of the version's files, as they are now. Raises as `obtain`."""

    def remember(self, name: str, version: str) -> None:
        """Note that this version is served: it is what to begin with where the place cannot be reached."""

    def remembered(self) -> Mapping[str, str]:
        """Versions by the model's name that can be obtained though the place cannot be reached."""

    def forget(self, name: str) -> None:
        """Drop whatever is kept of a model that is gone."""

    def close(self) -> None:
        """Let calls that are under way end soon, and take no more."""


class LocalStore:
    """A folder of this machine, or one that is mounted.

    Args:
        folder: holds one folder per model.
        pause: waits so many seconds.
    """

    recheck_s = 0.0

    def __init__(self, folder: Path, *, pause: Callable[[float], object] = time.sleep) -> None:
        self.origin = str(folder)
        self._folder, self._pause = folder, pause
        self._known_as: tuple[int, int] | None = None
        self._published: frozenset[str] = frozenset()

    def names(self) -> frozenset[str]:
        """Names of the folders that have a `current`, once had one since this store was opened, or might have one."""
        try:
            folders = [path for path in self._folder.iterdir() if _may_be_model(path)]
            found = frozenset(path.name for path in folders if path.name in self._published or _is_published(path))
            itself = self._folder.stat()
        except OSError as error:
            raise StoreUnreachable(self.origin, error.strerror or str(error)) from error
        # A volume that was unmounted leaves an empty folder in its place, which is another one.
        known_as = (itself.st_dev, itself.st_ino)
        if not found and self._known_as not in (None, known_as):
            raise StoreUnreachable(self.origin, "an empty folder took its place; the volume is probably not mounted")
        self._known_as, self._published = known_as, found
        return found

    def current(self, name: str) -> str:
        """The version that the file `current` names."""
        if not re.fullmatch(NAME_PATTERN, name):
            detail = f"{name!r} is not a model name; use small letters, digits, '.', '_' and '-'"
            raise BundleInvalid(self._folder / name, detail=detail)
        try:
            return read_current(self._folder / name)
        except BundleInvalid:  # somebody may be writing it in place; renaming one there, as `publish` does, is better
            self._pause(_WRITTEN_WITHIN_S)
            return read_current(self._folder / name)

    def obtain(self, name: str, version: str) -> Path:
        """The version's folder itself."""
        path = self._folder / name / version
        if not os.path.lexists(path):
            raise ModelMissing(path, choices=_versions_in(path.parent))
        return path

    def versions(self, name: str) -> Sequence[str]:
        """Names of the versions in the model's folder, newest first."""
        return sorted(_versions_in(self._folder / name), reverse=True)

    def state(self, name: str, version: str) -> str:
        """Sizes, dates and numbers of the files that say the most."""
        try:
            found = [(self._folder / name / version / file).stat() for file in (METADATA_FILE, MODEL_FILE)]
        except OSError as error:
            return str(error)
        return str([(each.st_size, each.st_mtime_ns, each.st_ino) for each in found])

    def content(self, name: str, version: str) -> str:
        """Reads and verifies every file."""
        return read_bundle(self.obtain(name, version)).metadata.content_sha256

    def remember(self, name: str, version: str) -> None:
        """The folder keeps everything itself."""

    def remembered(self) -> Mapping[str, str]:
        """Nothing is kept elsewhere."""
        return {}

    def forget(self, name: str) -> None:
        """Nothing is kept elsewhere."""

    def close(self) -> None:
        """Nothing is open."""


def _may_be_model(path: Path) -> bool:
    if path.name[0] == ".":
        return False
    try:
        return path.is_dir() and (_is_model_name(path.name) or (path / CURRENT_FILE).exists())
    except PermissionError:  # lost+found is closed and none of ours; a closed folder with a model's name is reported
        return _is_model_name(path.name)
    except OSError:  # cannot be told; one that is served must not go for it, and any other fails by itself
        return True


def _is_published(folder: Path) -> bool:
    try:
        (folder / CURRENT_FILE).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # as above
        return True
    return True


def _versions_in(folder: Path) -> list[str]:
    try:
        return list_versions(folder)
    except OSError:
        return []


def _is_model_name(name: str) -> bool:
    return re.fullmatch(NAME_PATTERN, name) is not None
