"""Publishing: whole beside, renamed, then `current` repointed. A kill at any moment leaves the old state."""

import contextlib
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.bundle import (
    CURRENT_FILE,
    METADATA_FILE,
    NAME_PATTERN,
    VERSION_PATTERN,
    Bundle,
    BundleMetadata,
    FileEntry,
    content_digest,
    format_metadata,
    read_bundle,
    read_metadata,
    validate_metadata,
)
from shared.errors import (
    BundleInvalid,
    CurrentInvalid,
    CurrentMissing,
    ModelMissing,
    NoEarlierVersion,
    NothingToRollBack,
    PublishConflict,
)
from shared.files import flush_folder, flush_tree, sha256_of, sha256_of_file, write_atomically
from shared.lock import locked, locked_folder

_STAGING_PREFIX, _REMOVED_PREFIX, _LOCK_FILE = ".staging-", ".removed-", ".lock"


@contextlib.contextmanager
def staging_folder(models_dir: Path, name: str, *, wait_s: float = 60.0) -> Iterator[Path]:
    """A folder beside the versions of `name` to write a bundle in; whatever is left of it is removed at the end.

    What killed runs left behind is removed too: a living run holds a lock on its own.

    Raises:
        BundleInvalid: a model cannot be called `name`.
        PublishConflict: another program is publishing this model and did not end within `wait_s` seconds.
    """
    parent = models_dir / name
    if not re.fullmatch(NAME_PATTERN, name):
        raise BundleInvalid(parent, detail=f"{name!r} is no name for a model, expected {NAME_PATTERN}")
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{_STAGING_PREFIX}{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:
        with locked(parent / _LOCK_FILE, wait_s=wait_s):  # or another run might remove what is not locked yet
            _remove_leftovers(parent)
            folder.mkdir()
            stack.enter_context(locked_folder(folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def seal(folder: Path, fields: Mapping[str, Any]) -> BundleMetadata:
    """Write bundle.json for the files in `folder`.

    Args:
        folder: holds every other file of the bundle.
        fields: all of BundleMetadata's fields but `files` and `content_sha256`.

    Raises:
        BundleInvalid: a field is missing, unknown, out of bounds or has no JSON form.
    """
    files = {
        path.relative_to(folder).as_posix(): _entry(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != METADATA_FILE
    }
    file = folder / METADATA_FILE
    metadata = validate_metadata(file, {**fields, "files": files, "content_sha256": content_digest(files)})
    try:
        write_atomically(file, format_metadata(metadata))
    except ValueError as error:
        raise BundleInvalid(file, detail=str(error)) from error
    return metadata


def list_also(bundle: Bundle, contents: Mapping[str, bytes], *, wait_s: float = 60.0) -> Bundle:
    """The bundle with more files: they are written into its folder, and a bundle.json that lists them replaces the old.

    For what is written after publishing, such as a report. Whoever reads meanwhile finds a whole bundle, with those
    files or without; digests of files that were listed before stay as they are, and so does the content hash. What
    another program has listed meanwhile stays, and nothing is written over it.

    Args:
        bundle: a published one.
        contents: of each file by its name; none is a part of the bundle's content.
        wait_s: how long to wait for another program that is publishing this model.

    Raises:
        BundleError: a file would change the content, or the bundle is gone or damaged.
        PublishConflict: another program is publishing this model and did not end within `wait_s` seconds.
        OSError: the folder cannot be written.
    """
    file = bundle.path / METADATA_FILE
    with locked(bundle.path.parent / _LOCK_FILE, wait_s=wait_s):
        metadata = read_metadata(bundle.path)  # another run may have listed its own meanwhile
        added = {name: FileEntry(sha256=sha256_of(data), size_bytes=len(data)) for name, data in contents.items()}
        if content_digest({**metadata.files, **added}) != metadata.content_sha256:
            raise BundleInvalid(file, detail=f"{', '.join(contents)} cannot be listed later: the content is fixed")
        for name in added.keys() - metadata.files.keys():
            write_atomically(bundle.path / name, contents[name])
        files = dict(sorted({**added, **metadata.files}.items()))
        if files != metadata.files:
            metadata = metadata.model_copy(update={"files": files})
            write_atomically(file, format_metadata(metadata))
    return Bundle(path=bundle.path, metadata=metadata)


def publish(folder: Path, models_dir: Path, *, keep_versions: int = 10, wait_s: float = 60.0) -> Bundle:
    """Move a sealed folder to its place, make it current, and drop the oldest versions.

    Args:
        folder: on the same file system as `models_dir`, as `staging_folder` gives it.
        models_dir: where the models are.
        keep_versions: how many to keep, at least 1; the current one always stays.
        wait_s: how long to wait for another program that is publishing this model.

    Raises:
        BundleError: the folder does not hold a whole bundle; nothing changed.
        PublishConflict: another program is publishing this model and did not end within `wait_s` seconds.
    """
    if keep_versions < 1:
        raise ValueError(f"keep_versions = {keep_versions}, expected at least 1")
    bundle = read_bundle(folder)
    parent = models_dir / bundle.metadata.name
    parent.mkdir(parents=True, exist_ok=True)
    with locked(parent / _LOCK_FILE, wait_s=wait_s):
        flush_tree(folder)
        target = parent / new_version(parent, bundle.metadata.content_sha256)
        folder.rename(target)
        flush_folder(parent)  # before `current` names it
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
    if not re.fullmatch(NAME_PATTERN, name) or not parent.is_dir():
        raise NothingToRollBack(parent, choices=model_names(models_dir))
    with locked(parent / _LOCK_FILE, wait_s=wait_s):
        versions = list_versions(parent)
        target = version or _version_before(parent, versions)
        if target not in versions:
            raise NothingToRollBack(parent, version=target, choices=versions)
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
        if not stat.S_ISREG((parent / CURRENT_FILE).stat().st_mode):  # to open a pipe might wait for ever
            raise BundleInvalid(parent / CURRENT_FILE, detail="not a plain file")
        version = (parent / CURRENT_FILE).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        if parent.is_dir() and (versions := list_versions(parent)):
            raise CurrentMissing(parent, versions=versions) from error
        raise ModelMissing(parent, choices=[] if parent.is_dir() else model_names(parent.parent)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BundleInvalid(parent / CURRENT_FILE, detail=f"cannot be read ({error})") from error
    return valid_version(version, parent / CURRENT_FILE)


def valid_version(text: str, where: Path | str) -> str:
    """The version that a file names.

    Args:
        text: its content.
        where: the file, for errors.

    Raises:
        BundleInvalid: it is something else.
    """
    if not re.fullmatch(VERSION_PATTERN, version := text.strip()):
        raise CurrentInvalid(where, found=version)
    return version


def list_versions(parent: Path) -> list[str]:
    """Versions of one model, oldest first."""
    return sorted(path.name for path in parent.iterdir() if re.fullmatch(VERSION_PATTERN, path.name) and path.is_dir())


def model_names(models_dir: Path) -> list[str]:
    """Names of the models that have a `current`; what may not be looked into is passed over."""
    try:
        names = [path.name for path in models_dir.iterdir() if path.name[0] != "."]
    except OSError:
        return []
    return sorted(name for name in names if _exists(models_dir / name / CURRENT_FILE))


def _entry(file: Path) -> FileEntry:
    return FileEntry(sha256=sha256_of_file(file), size_bytes=file.stat().st_size)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # Path.exists raises for a closed folder
        return False


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
    """The next stamp in order, whether or not there is such a time."""
    digits = f"{int(stamp[:8] + stamp[9:-1]) + 1:017d}"
    return f"{digits[:8]}T{digits[8:]}Z"


def _version_before(parent: Path, versions: list[str]) -> str:
    current = read_current(parent)
    earlier = [version for version in versions if version < current]
    if not earlier:
        raise NoEarlierVersion(parent, current=current, versions=versions)
    return earlier[-1]


def _point_current(parent: Path, version: str) -> None:
    write_atomically(parent / CURRENT_FILE, f"{version}\n".encode())
    flush_folder(parent)


def _prune(parent: Path, *, keep: int) -> None:
    current = read_current(parent)
    for version in list_versions(parent)[:-keep]:
        if version != current:
            removed = (parent / version).rename(parent / f"{_REMOVED_PREFIX}{version}")  # no reader meets half of it
            shutil.rmtree(removed, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    """Remove what killed runs left. Only under the lock of `parent`, which everyone holds who makes such names."""
    for file in parent.glob(f".{CURRENT_FILE}.*"):
        file.unlink(missing_ok=True)
    for folder in parent.glob(f"{_REMOVED_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in parent.glob(f"{_STAGING_PREFIX}*"):
        with contextlib.suppress(PublishConflict, OSError), locked_folder(folder):
            shutil.rmtree(folder, ignore_errors=True)
