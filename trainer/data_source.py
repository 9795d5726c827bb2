"""Brings the data to where it can be read: an archive is unpacked once, data elsewhere is fetched once."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shared.addresses import local_path, names_a_machine, shown
from shared.errors import PublishConflict
from shared.files import flush_folder, flush_tree
from shared.lock import locked, locked_folder
from trainer.archives import unpack
from trainer.cache_description import describe
from trainer.data_folder import DATA_FOLDER, STAGING_PREFIX, archive_home, aside
from trainer.errors.caches import CacheNotWritable
from trainer.errors.sources import DataUnreachable
from trainer.hashing import Unreadable, hash_files
from trainer.locations import archive_suffix, stem
from trainer.progress import Progress
from trainer.samples import PassedOver
from trainer.stat_cache import StatCache
from trainer.unpacked_listing import read_whole, write_listing

_MOST_S = 60.0


@dataclass(frozen=True)
class LocalData:
    """Data on this machine.

    Attributes:
        path: a folder, or a file that is no archive.
        home: the folder that all of it lies in, where it was unpacked or fetched; None for what is the user's own.
        left_out: what an archive held besides regular files.
    """

    path: Path
    home: Path | None = None
    left_out: tuple[PassedOver, ...] = ()


def local_data(location: str, *, cache_dir: Path, progress: Progress, rehash: bool = False) -> LocalData:
    """Where the data is once it is on this machine and unpacked; a path that is no archive is that already.

    An archive lies unpacked in <cache>/data/<SHA-256 of its bytes>/, so another run unpacks nothing, and a changed one
    is unpacked anew. What lies elsewhere is described in `remote_data`.

    Args:
        location: a path or an address; whether there is something, and what, is for the caller to see.
        cache_dir: the cache folder.
        progress: shows hashing, fetching and unpacking, if there is anything to do.
        rehash: read a local archive again instead of trusting size and time.

    Raises:
        DataUnreachable, ExtraMissing: data elsewhere cannot be fetched.
        BadData: the archive is damaged, encrypted, too large or unsafe; nothing of it was kept.
        CacheNotWritable: there is no place to unpack it.
    """
    path = local_path(location)
    if path is None:
        from trainer.remote_data import fetch

        return fetch(location, cache_dir=cache_dir, progress=progress)
    if names_a_machine(location):
        detail = f"it names the machine {urlsplit(location).netloc!r}; expected file:/// and a path from the root"
        raise DataUnreachable(shown(location), detail)
    if not archive_suffix(path.name) or not path.is_file():
        return LocalData(path)
    (digest,) = hash_files(
        [str(path)], StatCache(cache_dir, path, warn=progress.warn), rehash=rehash, progress=progress
    )
    if isinstance(digest, Unreadable):
        raise DataUnreachable(str(path), digest.reason)
    return unpacked(digest, cache_dir) or unpack_once(path, digest, location, cache_dir=cache_dir, progress=progress)


def unpacked(digest: str, cache_dir: Path) -> LocalData | None:
    """What lies unpacked of the archive with this SHA-256, if all of it does."""
    home = archive_home(digest, cache_dir)
    whole = read_whole(home)
    if isinstance(whole, str):
        return None
    folder, listing = whole
    describe(home, {"data": folder.name})  # notes that it was used
    return LocalData(
        folder, folder, tuple(PassedOver(name, "neither a file nor a folder") for name in listing.left_out)
    )


def unpack_once(archive: Path, digest: str, location: str, *, cache_dir: Path, progress: Progress) -> LocalData:
    """Unpack beside, then rename: what a killed run leaves is never taken for the whole."""
    with staging(cache_dir) as beside:
        folder = beside / (stem(location).strip(".") or "data")
        folder.mkdir()
        with progress.phase("unpack", total=archive.stat().st_size, unit="byte") as phase:
            left_out = unpack(archive, folder, origin=shown(location), read=phase.advance)
        describe(beside, {"data": shown(location)})
        _put(beside, folder, left_out, archive_home(digest, cache_dir))
    done = unpacked(digest, cache_dir)
    if done is None:
        raise CacheNotWritable(cache_dir / DATA_FOLDER, "what was unpacked a moment ago is gone")
    return done


@contextlib.contextmanager
def staging(cache_dir: Path) -> Iterator[Path]:
    """A new folder in <cache>/data; what is left of it, and of those of killed runs, is removed."""
    parent = cache_dir / DATA_FOLDER
    with contextlib.ExitStack() as stack:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            with locked(parent / ".lock", wait_s=_MOST_S):  # or another run might remove what is not locked yet
                _remove_leftovers(parent)
                folder = parent / f"{STAGING_PREFIX}{secrets.token_hex(8)}"
                folder.mkdir()
                stack.enter_context(locked_folder(folder))
        except OSError as error:
            raise CacheNotWritable(parent, error.strerror or str(error)) from error
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _put(beside: Path, folder: Path, left_out: Sequence[str], home: Path) -> None:
    """Give it its name once all is on the disk; what has the name, and is not whole, makes place."""
    try:
        write_listing(beside, folder, left_out)
        flush_tree(beside)
        with locked(home.parent / ".lock", wait_s=_MOST_S):
            if home.exists():
                if not isinstance(read_whole(home), str):  # another run was quicker
                    return
                shutil.rmtree(aside(home), ignore_errors=True)
            beside.rename(home)
            flush_folder(home.parent)
    except OSError as error:
        raise CacheNotWritable(home, error.strerror or str(error)) from error


def _remove_leftovers(parent: Path) -> None:
    for folder in parent.glob(f"{STAGING_PREFIX}*"):
        with contextlib.suppress(PublishConflict, OSError), locked_folder(folder):
            shutil.rmtree(folder, ignore_errors=True)
