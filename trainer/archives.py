"""Archives of pictures: zip and tar (plain, gz, xz, bz2), unpacked with suspicion into a folder of their own."""

import contextlib
import lzma
import os
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from trainer.errors.caches import CacheNotWritable
from trainer.errors.sources import ArchiveDamaged, ArchiveEncrypted
from trainer.member_names import safe_name
from trainer.tar_stream import is_tar, open_tar
from trainer.unpacked_size import Allowance

_PIECE = 1024**2
_MOST_LETTERS = 300
_UTF_8 = 1 << 11
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError),  # zipfile's, for what it cannot unpack
)


def unpack(archive: Path, folder: Path, *, origin: str, read: Callable[[int], None]) -> tuple[str, ...]:
    """Write the regular files of an archive below `folder`, which exists and is empty.

    A link to a file of the archive becomes that file; everything else that is no regular file is left out. Dates are
    kept, permissions and owners are not.

    Args:
        archive: the file; which kind it is says its content.
        folder: what is in it after an error is of no use.
        origin: what to call the archive.
        read: told how many more bytes of the archive were read.

    Returns:
        Names of what was left out.

    Raises:
        ArchiveDamaged, ArchiveEncrypted: it cannot be read to its end.
        UnsafeName: a file in it would lie outside the folder.
        TooLarge: it holds more than may be written.
        CacheNotWritable: the folder cannot be written.
    """
    writer = _Writer(folder, origin, Allowance(folder, origin=origin, packed_bytes=archive.stat().st_size))
    with _damage_told(origin), archive.open("rb") as file:
        counted = cast("IO[bytes]", _Counted(file, read))  # it reads, seeks and tells; zipfile and tarfile ask no more
        start = file.read(tarfile.BLOCKSIZE)
        file.seek(0)
        if not is_tar(start) and zipfile.is_zipfile(
            archive
        ):  # a tar may end with a zip, and a zip start with a program
            _unpack_zip(counted, writer)
        else:
            _unpack_tar(counted, writer)
    writer.finish()
    return tuple(writer.left_out)


class _Counted:
    """A file for reading that tells how far it was read; reading again what was read before does not count."""

    def __init__(self, file: IO[bytes], told: Callable[[int], None]) -> None:
        self._file, self._told, self._furthest = file, told, 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if (position := self._file.tell()) > self._furthest:
            self._told(position - self._furthest)
            self._furthest = position
        return data

    def seekable(self) -> bool:
        return True


@dataclass
class _Writer:
    """Puts members into the folder."""

    folder: Path
    origin: str
    allowance: Allowance
    left_out: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    backslashed: dict[str, bool] = field(default_factory=dict)

    def name(self, name: str) -> str | None:
        self.allowance.file()
        safe = safe_name(name, origin=self.origin)
        if safe is not None and self.backslashed.setdefault(safe, "\\" in name) != ("\\" in name):
            raise ArchiveDamaged(self.origin, f"two of its files would have the name {safe}")
        return safe

    def write(self, name: str, source: IO[bytes], modified_s: float) -> None:
        path = self.folder / name
        with _writable(self.folder, self.origin, name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # the last of several of one name counts, as tar has it
            target = path.open("xb")
        with target:
            while piece := source.read(_PIECE):
                self.allowance.bytes(len(piece))
                with _writable(self.folder, self.origin, name):
                    target.write(piece)
        with contextlib.suppress(OSError, OverflowError, ValueError):  # a date that no file can have
            os.utime(path, (modified_s, modified_s))

    def finish(self) -> None:
        """Links to files of the archive, or to such links, become those files; any other is left out."""
        waiting = self.links
        while waiting:
            further = [link for link in waiting if not self._link(*link)]
            if len(further) == len(waiting):
                break
            waiting = further
        self.left_out.extend(name for name, _ in waiting)

    def _link(self, name: str, target: str) -> bool:
        path, leads_to = self.folder / name, self.folder / target
        if not target or path.exists() or not leads_to.is_file():
            return False
        with _writable(self.folder, self.origin, name):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(leads_to, path)
        return True


def _unpack_zip(file: IO[bytes], writer: _Writer) -> None:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = writer.name(_zip_name(member))
            if name is None or member.is_dir():
                continue
            if member.flag_bits & 1:
                raise ArchiveEncrypted(writer.origin, member.filename)
            if (member.external_attr >> 16) & 0o170000 not in (0, 0o100000):  # made on Unix, and no regular file
                writer.left_out.append(name)
                continue
            with archive.open(member) as source:
                modified_s = time.mktime((*member.date_time, 0, 0, -1)) if member.date_time[0] > 1980 else 0.0
                writer.write(name, source, modified_s)


def _zip_name(member: zipfile.ZipInfo) -> str:
    """The name; macOS and others write UTF-8 without the mark that says so, and nothing else decodes as that."""
    if not member.flag_bits & _UTF_8:
        with contextlib.suppress(UnicodeError):
            return member.filename.encode("cp437").decode("utf-8")
    return member.filename


def _unpack_tar(file: IO[bytes], writer: _Writer) -> None:
    with open_tar(file, writer.allowance.unpacked) as archive:
        for member in archive:
            name = writer.name(member.name)
            if name is None or member.isdir():
                continue
            if member.islnk() or member.issym():
                writer.links.append((name, _target(name, member)))
            elif not member.isreg():
                writer.left_out.append(name)
            elif (source := archive.extractfile(member)) is not None:
                with source:
                    writer.write(name, source, float(member.mtime))


def _target(name: str, member: tarfile.TarInfo) -> str:
    """Where a link leads, from the archive's root; "" for a place outside."""
    folder = "" if member.islnk() else os.path.dirname(name)  # noqa: PTH120 (a name, not a path)
    path = os.path.normpath(f"{folder}/{member.linkname}" if folder else member.linkname)
    outside = path.startswith(("..", "/")) or member.linkname.startswith("/") or "\0" in path
    return "" if outside else path


@contextlib.contextmanager
def _damage_told(origin: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ArchiveDamaged(origin, str(error)[:_MOST_LETTERS] or type(error).__name__) from error


@contextlib.contextmanager
def _writable(folder: Path, origin: str, name: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveDamaged(origin, f"{name} is a file and a folder at once") from error
    except OSError as error:
        raise CacheNotWritable(folder, f"{name}: {error.strerror or error}") from error
