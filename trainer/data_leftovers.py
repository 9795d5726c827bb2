"""What killed runs left among the data in the cache; what a run that still goes on holds locked is none of it."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from shared.errors import PublishConflict
from shared.lock import locked, locked_folder
from trainer.data_folder import DATA_FOLDER, ELSEWHERE, STAGING_PREFIX, archive_home
from trainer.part_file import list_abandoned

FETCHING_PREFIX = ".fetching-"


def list_leftovers(cache_dir: Path) -> list[Path]:
    """Folders half unpacked, files half fetched, and notes of archives that are gone, in a fixed order."""
    data, elsewhere = cache_dir / DATA_FOLDER, cache_dir / DATA_FOLDER / ELSEWHERE
    found = [path for path in data.glob(f"{STAGING_PREFIX}*") if _is_left(data / ".lock", path)]
    for home in elsewhere.glob("[!.]*"):
        found.extend(path for path in home.glob(f"{FETCHING_PREFIX}*") if _is_left(home / ".lock", path))
        if home.suffix == ".json" and not _leads_somewhere(home, cache_dir):
            found.append(home)
    return sorted([*found, *list_abandoned(elsewhere)])


def _is_left(lock: Path, path: Path) -> bool:
    """Whether nobody holds the place, nor the folder itself."""
    with contextlib.suppress(PublishConflict, OSError), locked(lock, wait_s=0), _held(path):
        return True
    return False


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    with locked_folder(path) if path.is_dir() else contextlib.nullcontext():
        yield


def _leads_somewhere(note: Path, cache_dir: Path) -> bool:
    """Whether what was fetched from an address is still unpacked."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return archive_home(json.loads(note.read_bytes())["digest"], cache_dir).is_dir()
    return False
