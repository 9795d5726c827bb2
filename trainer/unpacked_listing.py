"""What an archive held, listed beside what was unpacked of it: it says whether all is there, and what was left out."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LISTING = "contents.json"


@dataclass(frozen=True)
class Listing:
    """What was unpacked.

    Attributes:
        sizes: bytes of each file, by its name relative to the folder.
        left_out: names of what was no regular file.
    """

    sizes: dict[str, int]
    left_out: tuple[str, ...]


def write_listing(home: Path, folder: Path, left_out: Sequence[str]) -> None:
    """List what is in `folder`, which lies in `home`.

    Raises:
        OSError: it cannot be read or written.
    """
    text = json.dumps({"files": _sizes(folder), "left_out": list(left_out)}, ensure_ascii=False)
    (home / LISTING).write_bytes(text.encode("utf-8", "surrogateescape"))


def read_whole(home: Path) -> tuple[Path, Listing] | str:
    """The folder that was unpacked and its list; what is wrong where files are gone, cut short or added."""
    try:
        written = json.loads((home / LISTING).read_bytes().decode("utf-8", "surrogateescape"))
        listing = Listing(dict(written["files"]), tuple(written["left_out"]))
        (folder,) = (path for path in home.iterdir() if path.is_dir())
        found = _sizes(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return f"{LISTING}, the list of its files, or the folder beside it is gone or cannot be read"
    if different := sorted(name for name, _ in found.items() ^ listing.sizes.items()):
        return f"{len(set(different)):,} files are gone, added or of another size ({different[0]} is one)"
    return folder, listing


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file below a folder; fails where a folder cannot be listed."""
    sizes: dict[str, int] = {}
    below = [folder]
    while below:
        with os.scandir(below.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(Path(entry.path))
                else:
                    sizes[Path(entry.path).relative_to(folder).as_posix()] = entry.stat(follow_symlinks=False).st_size
    return sizes
