"""Publishing: whole beside, renamed, then `current` repointed. A kill at any moment leaves the old state."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.bundle import (
    CURRENT_FILE,
    METADATA_FILE,
    VERSION_PATTERN,
    Bundle,
    BundleMetadata,
    FileEntry,
    content_digest,
    read_bundle,
)
from shared.errors import BundleInvalid, ModelMissing, PublishConflict
from shared.files import current_umask, sha256_of_file, write_atomically

_STAGING_PREFIX, _LOCK_FILE = ".staging-", ".lock"


@contextlib.contextmanager
def staging_folder(models_dir: Path, name: str) -> Iterator[Path]:
    """A folder beside the versions of `name` to write a bundle in; whatever is left of it is removed at the end.

    Folders that killed runs left behind are removed too: a living run holds a lock on its own.
    """
    parent = models_dir / name
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=_STAGING_PREFIX))
    folder.chmod(0o777 & ~current_umask())
    try:
        with _locked(folder.with_name(folder.name + _LOCK_FILE), wait_s=0):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(folder.name + _LOCK_FILE).unlink(missing_ok=True)


def seal(folder: Path, fields: Mapping[str, Any]) -> BundleMetadata:
    """Write bundle.json for the files in `folder`.

    Args:
        folder: holds every other file of the bundle.
        fields: all of BundleMetadata's fields but `files` and `content_sha256`.
    """
    files = {
        path.relative_to(folder).as_posix(): FileEntry(sha256=sha256_of_file(path), size_bytes=path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != METADATA_FILE
    }
    metadata = BundleMetadata(**fields, files=files, content_sha256=content_digest(files))
    text = json.dumps(metadata.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_atomically(folder / METADATA_FILE, text.encode())
    return metadata


def publish(folder: Path, models_dir: Path, *, keep_versions: int = 10, wait_s: float = 60.0) -> Bundle:
    """Move a sealed folder to its place, make it current, and drop the oldest versions.

    Raises:
        BundleError: the folder does not hold a whole bundle; nothing changed.
        PublishConflict: another program is publishing this model and did not end within `wait_s` seconds.
    """
    bundle = read_bundle(folder)
    parent = models_dir / bundle.metadata.name
    with _locked(parent / _LOCK_FILE, wait_s=wait_s):
        _flush_to_disk(folder)
        target = parent / new_version(parent, bundle.metadata.content_sha256)
        folder.rename(target)
        _point_current(parent, target.name)
        _prune(parent, keep=keep_versions)
    return Bundle(path=target, metadata=bundle.metadata)


def rollback(models_dir: Path, name: str, version: str | None = None, *, wait_s: float = 60.0) -> Bundle:
    """Repoint `current` to `version`, or to the one before the current one, after verifying it.

    Raises:
        ModelMissing: no such model or version, or none before the current one.
        BundleError: the version is damaged; `current` stays as it was.
    """
    parent = models_dir / name
    if not parent.is_dir():
        raise ModelMissing(parent, choices=model_names(models_dir))
    with _locked(parent / _LOCK_FILE, wait_s=wait_s):
        versions = list_versions(parent)
        target = version or _version_before(parent, versions)
        if target not in versions:
            raise ModelMissing(parent / target, choices=versions)
        bundle = read_bundle(parent / target)
        _point_current(parent, target)
    return bundle


def resolve(path: Path) -> Path:
    """Folder of a version: `path` itself, or the version that `path/current` names.

    Raises:
        ModelMissing: neither.
    """
    if (path / METADATA_FILE).is_file():
        return path
    return path / read_current(path)


def read_current(parent: Path) -> str:
    """The version that `parent/current` names.

    Raises:
        ModelMissing: there is no such file.
        BundleInvalid: it holds something else than a version.
    """
    try:
        version = (parent / CURRENT_FILE).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        choices = list_versions(parent) if parent.is_dir() else model_names(parent.parent)
        raise ModelMissing(parent, choices=choices) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BundleInvalid(parent / CURRENT_FILE, detail=f"cannot be read ({error})") from error
    if not re.fullmatch(VERSION_PATTERN, version):
        raise BundleInvalid(parent / CURRENT_FILE, detail=f"{version[:80]!r} is not a version")
    return version


def list_versions(parent: Path) -> list[str]:
    """Versions of one model, oldest first."""
    return sorted(path.name for path in parent.iterdir() if re.fullmatch(VERSION_PATTERN, path.name) and path.is_dir())


def model_names(models_dir: Path) -> list[str]:
    """Names of the models that have a `current`."""
    if not models_dir.is_dir():
        return []
    return sorted(path.parent.name for path in models_dir.glob(f"*/{CURRENT_FILE}") if path.parent.name[0] != ".")


def new_version(parent: Path, content_sha256: str) -> str:
    """A version that sorts after every one in `parent`: UTC time in ms, then 8 digits of the content hash."""
    latest = max((version.split("-")[0] for version in list_versions(parent)), default="")
    while True:
        now = datetime.now(UTC)
        stamp = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"
        if stamp > latest:
            return f"{stamp}-{content_sha256[:8]}"
        if latest[:15] > f"{now:%Y%m%dT%H%M%S}":
            return f"{_after(latest)}-{content_sha256[:8]}"  # the clock went back; order matters more than time
        time.sleep(0.001)


def _after(stamp: str) -> str:
    return f"{stamp[:9]}{int(stamp[9:-1]) + 1:09d}Z"


def _version_before(parent: Path, versions: list[str]) -> str:
    current = read_current(parent)
    earlier = [version for version in versions if version < current]
    if not earlier:
        raise ModelMissing(parent / f"(a version before {current})", choices=versions)
    return earlier[-1]


def _point_current(parent: Path, version: str) -> None:
    write_atomically(parent / CURRENT_FILE, f"{version}\n".encode())
    _flush_folder(parent)


def _prune(parent: Path, *, keep: int) -> None:
    current = read_current(parent)
    for version in list_versions(parent)[:-keep]:
        if version != current:
            shutil.rmtree(parent / version, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_STAGING_PREFIX}*"):
        if not folder.is_dir():
            continue
        lock = folder.with_name(folder.name + _LOCK_FILE)
        with contextlib.suppress(PublishConflict), _locked(lock, wait_s=0):
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path, *, wait_s: float) -> Iterator[None]:
    """Hold an exclusive lock; the system releases it however the process ends."""
    deadline = time.monotonic() + wait_s
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise PublishConflict(path, waited_s=wait_s) from error
                time.sleep(0.05)
        yield


def _flush_to_disk(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
