"""Models at an address: looked at there, fetched into a cache folder, verified there, and served from it."""

import contextlib
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from service.http_files import HttpFiles
from service.model_cache import ModelCache
from service.remote_files import ObjectFiles, RemoteFiles
from service.store_errors import CacheTooSmall, StoreClosed, StoreUnreachable
from shared.addresses import shown
from shared.bundle import (
    CURRENT_FILE,
    MAX_METADATA_BYTES,
    METADATA_FILE,
    NAME_PATTERN,
    FileEntry,
    read_bundle,
    read_metadata,
)
from shared.errors import BundleCorrupted, BundleError, BundleIncomplete, BundleInvalid, ModelMissing
from shared.files import sha256_of
from shared.publish import valid_version
from shared.remote import is_http, open_place

_MAX_CURRENT_BYTES = 1024
_RECHECK_S = 60.0


def open_remote_store(location: str, *, cache_dir: Path, keep: int, timeout_s: float) -> "RemoteStore":
    """The store at an address; nothing is asked of it yet.

    Args:
        location: the address of a folder of models.
        cache_dir: what is fetched is kept below it.
        keep: versions to keep of each model.
        timeout_s: how long the other side may take to answer.

    Raises:
        AddressError: nobody here can read such addresses.
    """
    place = open_place(location, patience_s=timeout_s)
    files: RemoteFiles
    files = HttpFiles(place, timeout_s=timeout_s) if is_http(location) else ObjectFiles(place, timeout_s=timeout_s)
    # Without the query: a signature that was renewed is no other place.
    cache = ModelCache(cache_dir / "models" / sha256_of(shown(location).encode())[:16], keep=keep)
    return RemoteStore(shown(location).rstrip("/"), files, cache)


class RemoteStore:
    """A folder of models elsewhere.

    Args:
        origin: its address, as it may be printed.
        files: reads from there.
        cache: where versions are kept.
    """

    recheck_s = _RECHECK_S

    def __init__(self, origin: str, files: RemoteFiles, cache: ModelCache) -> None:
        self.origin = origin
        self._files, self._cache = files, cache
        self._closed = threading.Event()

    def names(self) -> frozenset[str]:
        """Names of the folders there that a model may have; others are none of ours."""
        self._go_on()
        return frozenset(name for name in self._files.folders() if re.fullmatch(NAME_PATTERN, name))

    def current(self, name: str) -> str:
        """The version that the file `current` names."""
        where = f"{self.origin}/{name}/{CURRENT_FILE}"
        with self._doubting(f"{name}/{CURRENT_FILE}"):
            content = self._read(f"{name}/{CURRENT_FILE}", limit=_MAX_CURRENT_BYTES)
            return valid_version(content.decode(errors="replace"), where)

    def obtain(self, name: str, version: str) -> Path:
        """The version's folder in the cache; a whole one there will do where nobody answers."""
        try:
            expected: str | None = self.content(name, version)
        except StoreUnreachable:
            expected = None

        def fetch(folder: Path) -> None:
            self._fetch(f"{name}/{version}", folder)

        return self._cache.obtain(name, version, expected=expected, fetch=fetch, go_on=self._go_on)

    def versions(self, name: str) -> Sequence[str]:
        """The version that was served last, if it is kept."""
        last = self._cache.remembered().get(name)
        return [] if last is None else [last]

    def state(self, name: str, version: str) -> str:
        """The content hash that bundle.json tells: of files that lie elsewhere, nothing else is quick to know."""
        return self.content(name, version)

    def content(self, name: str, version: str) -> str:
        """The content hash that bundle.json tells."""
        where = f"{name}/{version}/{METADATA_FILE}"
        with self._doubting(where):
            content = self._read(where, limit=MAX_METADATA_BYTES)
            try:
                return str(json.loads(content)["content_sha256"])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise BundleInvalid(f"{self.origin}/{where}", detail=f"it tells no content hash ({error})") from error

    def remember(self, name: str, version: str) -> None:
        """Note that this version is served."""
        self._cache.remember(name, version, self._go_on)

    def remembered(self) -> Mapping[str, str]:
        """Versions that were served last, and are still kept."""
        return self._cache.remembered()

    def forget(self, name: str) -> None:
        """Remove what is kept of a model."""
        self._cache.forget(name, self._go_on)

    def close(self) -> None:
        """Whatever is being fetched is broken off, at the next piece at the latest."""
        self._closed.set()
        self._files.close()

    def _go_on(self) -> None:
        if self._closed.is_set():
            raise StoreClosed

    @contextlib.contextmanager
    def _doubting(self, name: str) -> Iterator[None]:
        """What is of no use is asked for again, even if the server says that it has not changed since."""
        try:
            yield
        except BundleError:
            self._files.doubt(name)
            raise

    def _read(self, name: str, *, limit: int) -> bytes:
        self._go_on()
        try:
            content = self._files.read(name, limit=limit)
        except FileNotFoundError as error:
            raise ModelMissing(f"{self.origin}/{name.rpartition('/')[0]}") from error
        if len(content) > limit:
            raise BundleInvalid(f"{self.origin}/{name}", detail=f"more than {limit:,} bytes")
        return content

    def _fetch(self, path: str, folder: Path) -> None:
        """Fetch bundle.json, and then, if it is sound, what it lists; nothing else, and no byte more."""
        with self._doubting(f"{path}/{METADATA_FILE}"):
            (folder / METADATA_FILE).write_bytes(self._read(f"{path}/{METADATA_FILE}", limit=MAX_METADATA_BYTES))
            files = read_metadata(folder).files
        total, free = sum(entry.size_bytes for entry in files.values()), shutil.disk_usage(folder).free
        if total > free:
            raise CacheTooSmall(f"{self.origin}/{path}", needed_bytes=total, free_bytes=free)
        for name, entry in files.items():
            self._fetch_file(f"{path}/{name}", folder / name, entry)
        read_bundle(folder)

    def _fetch_file(self, name: str, target: Path, entry: FileEntry) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, found = hashlib.sha256(), 0
        with target.open("xb") as file:

            def take(piece: bytes) -> None:
                nonlocal found
                self._go_on()
                found += len(piece)
                if found <= entry.size_bytes:
                    digest.update(piece)
                    file.write(piece)

            _told_missing(f"{self.origin}/{name}", lambda: self._files.fetch(name, take, size_bytes=entry.size_bytes))
        if found != entry.size_bytes:
            many = f"{found:,}" if found < entry.size_bytes else f"more than {entry.size_bytes:,}"
            detail = f"{many} bytes came, bundle.json says {entry.size_bytes:,}"
            raise BundleIncomplete(f"{self.origin}/{name}", detail=detail)
        if digest.hexdigest() != entry.sha256:
            raise BundleCorrupted(f"{self.origin}/{name}", expected=entry.sha256, found=digest.hexdigest())


def _told_missing(where: str, fetch: Callable[[], None]) -> None:
    try:
        fetch()
    except FileNotFoundError as error:
        raise BundleIncomplete(where, detail="listed in bundle.json, but not there") from error
