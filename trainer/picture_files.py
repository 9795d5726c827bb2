"""Which files under a folder are pictures: asked of their first bytes, never of their names alone."""

import contextlib
import os
import re
import stat
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from shared.decode import TRAINER_FORMATS, sniff_format
from trainer.samples import PassedOver

_TABLE_SUFFIXES = (".tsv", ".csv")
# Whoever names a file like this means a picture; if it cannot be decoded, that is to be said, not passed over.
_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff")
_UNREAD_SUFFIXES = (".heic", ".heif", ".avif", ".jp2", ".jxl")
_ENOUGH_TO_SNIFF = 16
_OF_THE_DISK = "lost+found"  # of ext4, at the top of a volume: no label
_LIKE_AN_ESCAPE = re.compile(r"\\x[89a-f][0-9a-f]")  # as an undecodable byte is written


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in the data folder: its path, as text for the reason that `Sample` gives, and its name there."""

    location: str
    name: str

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self.location)


@dataclass(frozen=True, slots=True)
class _FoundFolder:
    """A folder that was looked through, and its name in the data folder."""

    name: str


@dataclass(frozen=True)
class FoundFiles:
    """What lies under a folder, each part sorted by name.

    Attributes:
        pictures: files that are pictures, or are meant to be; a file that is named like one is here though it
            cannot be opened, so that it is missed and its label known.
        tables: TSV and CSV files directly in the folder, or in the one folder in it that holds everything.
        passed_over: everything else, by name.
        folders: names of the folders that were looked through, with or without a file in them.
    """

    pictures: tuple[FoundFile, ...]
    tables: tuple[FoundFile, ...]
    passed_over: tuple[PassedOver, ...]
    folders: tuple[str, ...] = ()


def find_files(folder: Path) -> FoundFiles:
    """Look through a folder and all folders in it.

    Hidden files and folders are passed over, and so is a link that leads back to a folder it lies in. Where the folder
    is a disk's own, so is its `lost+found`, of which nothing is said as long as nothing is in it.
    """
    walked = list(_walk(folder))
    folders = tuple(entry.name for entry in walked if isinstance(entry, _FoundFolder))
    entries = [entry for entry in walked if not isinstance(entry, _FoundFolder)]
    around = _folder_around(entry.name for entry in entries if isinstance(entry, FoundFile))
    pictures: list[FoundFile] = []
    tables: list[FoundFile] = []
    passed_over: list[PassedOver] = []
    for entry in entries:
        if isinstance(entry, PassedOver):
            passed_over.append(entry)
        elif is_table(entry.path) and entry.name.rpartition("/")[0] == around:
            tables.append(entry)
        elif reason := _why_no_picture(entry.path):
            passed_over.append(PassedOver(entry.name, reason))
        else:
            pictures.append(entry)
    by_name = sorted(pictures, key=lambda file: file.name)
    return FoundFiles(tuple(by_name), tuple(sorted(tables, key=lambda file: file.name)), tuple(passed_over), folders)


def is_table(path: Path) -> bool:
    """Whether a file's name says that it is a TSV or CSV table."""
    return path.suffix.lower() in _TABLE_SUFFIXES


def is_named_like_a_picture(name: str) -> bool:
    """Whether a file's extension is that of a picture, readable here or not."""
    return PurePath(name).suffix.lower() in _PICTURE_SUFFIXES + _UNREAD_SUFFIXES


def readable_name(path: str) -> str:
    """A file's name as valid Unicode, so that it can be printed and stored anywhere. Different names stay different.

    Bytes that are no UTF-8 become `\\xff`; there, and where a name has such letters in it, a backslash becomes two.
    """
    data = os.fsencode(path)
    readable = data.decode("utf-8", "backslashreplace")
    if _LIKE_AN_ESCAPE.search(readable) is None:
        return readable
    return data.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def _folder_around(names: Iterable[str]) -> str:
    """The innermost folder that holds all files; "" for the data folder itself, as where archives have none in them."""
    files_in = Counter(os.path.dirname(name) for name in names)  # noqa: PTH120 (names, not paths)
    return os.path.commonpath(list(files_in)) if files_in.total() > 1 else ""


def _walk(folder: Path) -> Iterator[FoundFile | PassedOver | _FoundFolder]:
    """Files under `folder`, and folders. Real ones come first, so that a link to one of them is known to be one."""
    seen: set[tuple[int, int]] = set()
    waiting = deque([(str(folder), "")])  # not recursion: depth is no limit
    linked: deque[tuple[str, str]] = deque()
    while waiting or linked:
        place, prefix = waiting.popleft() if waiting else linked.popleft()
        try:
            identity = _identity(Path(place).stat())
            entries = sorted(os.scandir(place), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            yield PassedOver(readable_name(prefix or "."), f"folder cannot be read ({_reason(error)})")
            continue
        if identity in seen:
            yield PassedOver(readable_name(prefix), "link to a folder that is looked through already")
            continue
        seen.add(identity)
        if prefix:
            yield _FoundFolder(readable_name(prefix.rstrip("/")))
        while entries:
            entry = entries.pop()  # it holds what was asked of the file, and a folder may hold many
            if prefix + entry.name == _OF_THE_DISK and entry.is_dir():
                yield from _lost_and_found(entry)
                continue
            found = _look_at(entry, readable_name(prefix + entry.name))
            if not isinstance(found, os.DirEntry):
                yield found
            else:
                (linked if found.is_symlink() else waiting).append((entry.path, f"{prefix}{entry.name}/"))


def _lost_and_found(folder: "os.DirEntry[str]") -> Iterator[PassedOver]:
    with contextlib.suppress(OSError), os.scandir(folder) as inside:  # a disk's own is closed to all but root
        if any(inside):
            yield PassedOver(folder.name, "where a disk puts what it has repaired; a label needs another name")


def _look_at(entry: "os.DirEntry[str]", name: str) -> "FoundFile | PassedOver | os.DirEntry[str]":
    """A file, a reason to pass over what is there, or the folder that it is."""
    if entry.name.startswith("."):
        return PassedOver(name, "hidden")
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        if is_named_like_a_picture(entry.name):
            return FoundFile(entry.path, name)
        return PassedOver(name, f"cannot be read ({_reason(error)})")
    if stat.S_ISDIR(mode):
        return entry
    if not stat.S_ISREG(mode):
        return PassedOver(name, "neither a file nor a folder")  # opening a pipe would wait for ever
    return FoundFile(entry.path, name)


def _why_no_picture(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            picture_format = sniff_format(file.read(_ENOUGH_TO_SNIFF))
    except OSError as error:
        return None if is_named_like_a_picture(path.name) else f"cannot be read ({_reason(error)})"
    if picture_format in TRAINER_FORMATS or is_named_like_a_picture(path.name):
        return None
    return "not a picture"


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
