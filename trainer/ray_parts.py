"""Parts of the cache at an address: workers put them there, and the run that asked for them fetches them."""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from shared.addresses import local_path, shown
from shared.errors import AddressUnusable, PackageMissing
from shared.files import write_atomically
from shared.remote import open_place, what_failed
from trainer.errors.clusters import RayCacheUnusable
from trainer.errors.sources import ExtraMissing
from trainer.in_order import in_order
from trainer.part_file import FETCHED, is_part_name

_AT_A_TIME = 16
_PATIENCE_S = 60.0


def was_forgotten(folders: Sequence[Path]) -> bool:
    """Whether what was fetched into one of some folders is not known any more, since a part in it was dropped."""
    return any(folder.is_dir() and not (folder / FETCHED).exists() for folder in folders)


class DistantParts:
    """Parts below an address, in folders as the cache has them.

    Args:
        address: such as s3://bucket/features.

    Raises:
        RayCacheUnusable: nobody knows such addresses.
        ExtraMissing: a package that reads them is missing.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        try:
            self._place = open_place(address, patience_s=_PATIENCE_S)
        except PackageMissing as error:
            raise ExtraMissing(shown(address), package=error.package) from error
        except AddressUnusable as error:
            raise RayCacheUnusable(shown(address), error.detail) from error

    def put(self, folder: Path) -> Iterator[str]:
        """Move every part below a folder there; their names, relative to it.

        A reader finds a whole file or none, and a part that is there already has the same bytes: it has their name.

        Raises:
            RayCacheUnusable: it cannot be written.
        """
        for path in sorted(path for path in folder.rglob("part-*.parquet") if is_part_name(path.name)):
            name = path.relative_to(folder).as_posix()
            self._write(name, path.read_bytes())
            path.unlink()
            yield name

    def fetch(self, folders: Sequence[Path], *, cache_dir: Path, anew: Collection[str] = ()) -> None:
        """Bring the parts of some folders of the cache here, each once.

        Args:
            folders: of the cache on this machine.
            cache_dir: the cache.
            anew: names, relative to the cache, of parts that are wanted even if they were here before.

        Raises:
            RayCacheUnusable: it cannot be read, or some that are wanted anew are not there.
            OSError: the cache cannot be written.
        """
        lost = set(anew)
        for folder in folders:
            relative = folder.relative_to(cache_dir).as_posix()
            names = self._names(relative)
            lost.difference_update(f"{relative}/{name}" for name in names)
            self._bring(names, folder, relative, anew)
        if lost:
            raise self.lacks(min(lost), by="a worker")

    def has(self, name: str) -> bool:
        """Whether a part is there.

        Raises:
            RayCacheUnusable: it cannot be read.
        """
        try:
            return bool(self._place.files.exists(f"{self._place.path}/{name}"))
        except Exception as error:  # every file system has errors of its own
            raise self._unusable(error) from error

    def lacks(self, name: str, *, by: str) -> RayCacheUnusable:
        """The error to raise where a part is not there that somebody has put there."""
        detail = f"{by} has written {name} to it, and this machine does not find it there"
        return RayCacheUnusable(shown(self._address), detail)

    def _bring(self, names: Sequence[str], folder: Path, relative: str, anew: Collection[str]) -> None:
        """Several at a time: each is small, and waits for its answer longer than it takes to arrive."""
        journal = folder / FETCHED
        known = set(journal.read_text().split()) if journal.exists() else set()
        wanted = [
            name
            for name in names
            if name not in known or (f"{relative}/{name}" in anew and not (folder / name).exists())
        ]

        def bring(name: str) -> str:
            write_atomically(folder / name, self._read(f"{relative}/{name}"))
            return name

        if not wanted:
            _begin_journal(folder)
            return
        folder.mkdir(parents=True, exist_ok=True)
        with journal.open("a", buffering=1) as file:
            file.writelines(f"{name}\n" for name in in_order(wanted, bring, threads=_AT_A_TIME))

    def _names(self, relative: str) -> list[str]:
        try:
            found = self._place.files.find(f"{self._place.path}/{relative}", maxdepth=1)
        except FileNotFoundError:
            return []
        except Exception as error:  # every file system has errors of its own
            raise self._unusable(error) from error
        return sorted(name for path in found if is_part_name(name := path.rpartition("/")[2]))

    def _read(self, name: str) -> bytes:
        try:
            data: bytes = self._place.files.cat_file(f"{self._place.path}/{name}")
        except Exception as error:  # as above
            raise self._unusable(error) from error
        return data

    def _write(self, name: str, data: bytes) -> None:
        try:
            if (local := local_path(self._address)) is not None:
                (local / name).parent.mkdir(parents=True, exist_ok=True)
                write_atomically(local / name, data)
            else:
                self._place.files.pipe_file(f"{self._place.path}/{name}", data)
        except Exception as error:  # as above
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> RayCacheUnusable:
        return RayCacheUnusable(shown(self._address), what_failed(error, self._address))


def _begin_journal(folder: Path) -> None:
    """Say that nothing more is known to be elsewhere; where that cannot be written, it is asked for again."""
    with contextlib.suppress(OSError):
        if folder.is_dir():
            (folder / FETCHED).touch()
