"""A folder of files that lie elsewhere: each is whole or not there, and known to be the one that was asked for."""

import contextlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.errors import PublishConflict
from shared.lock import locked
from trainer.data_leftovers import FETCHING_PREFIX
from trainer.errors.caches import CacheNotWritable
from trainer.unpacked_size import Allowance

_WAIT_S = 24 * 3600.0


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere.

    Attributes:
        name: relative to the folder, safe.
        path: what its file system calls it.
        size: in bytes, where that is known.
        state: changes when the file does; None where that cannot be told.
    """

    name: str
    path: str
    size: int | None
    state: str | None


class Mirror:
    """Files below `folder`, and a journal of what they were when they were fetched.

    Args:
        home: holds both; made when held.
        origin: what is mirrored, for errors.
    """

    def __init__(self, home: Path, *, origin: str) -> None:
        self.folder = home / "files"
        self._home, self._origin = home, origin
        self._journal = home / "journal.jsonl"
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def held(self, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Nobody else fetches meanwhile; a second run waits, and then finds everything there.

        Args:
            waits: called before waiting, if another run fetches now.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheNotWritable(self._home, error.strerror or str(error)) from error
        with self._locked(waits):
            for left in self._home.glob(f"{FETCHING_PREFIX}*"):  # of a killed run
                left.unlink(missing_ok=True)
            self._known = self._read()
            yield

    @contextlib.contextmanager
    def _locked(self, waits: Callable[[], None]) -> Iterator[None]:
        lock = self._home / ".lock"
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(lock, wait_s=0))
            except PublishConflict:
                waits()
                stack.enter_context(locked(lock, wait_s=_WAIT_S))
            yield

    def has(self, name: str, state: str) -> bool:
        """Whether the file is there, as it was when its state was this."""
        return self._known.get(name) == state and (self.folder / name).is_file()

    @contextlib.contextmanager
    def receive(self, name: str, state: str | None) -> Iterator[Path]:
        """A path to write the file to; once that is done, it takes its place. May be used from several threads."""
        temporary = self._home / f"{FETCHING_PREFIX}{secrets.token_hex(8)}"
        try:
            yield temporary
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        with self._lock, self._journal.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps([name, state]) + "\n")
            self._known[name] = state or ""

    def drop_others(self, names: Collection[str]) -> None:
        """Remove the files that are not among `names`, and emptied folders: they are gone where they came from."""
        kept = frozenset(names)
        for folder, _, files in os.walk(self.folder, topdown=False):
            for file in files:
                path = Path(folder, file)
                if path.relative_to(self.folder).as_posix() not in kept:
                    path.unlink()
            if folder != str(self.folder):
                with contextlib.suppress(OSError):  # not empty
                    Path(folder).rmdir()

    def require_room(self, size_bytes: int, *, files: int) -> None:
        """Learn before fetching for an hour that the disk is too small.

        Raises:
            TooLarge: it is.
        """
        allowance = self.allowance()
        for _ in range(files):
            allowance.file()
        allowance.bytes(size_bytes)

    def allowance(self) -> Allowance:
        """What may be written here from now on."""
        return Allowance(self._home, origin=self._origin)

    def _read(self) -> dict[str, str]:
        known: dict[str, str] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self._journal.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, TypeError):  # a line that a killed run did not finish
                    name, state = json.loads(line)
                    known[name] = state
        return known
