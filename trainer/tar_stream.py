"""Tar archives opened with suspicion: headers of a bounded size, and unpacked bytes counted, passed over or not."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from typing import IO, Self, cast

MOST_HEADER_BYTES = 256 * 1024
"""The tarfile module reads the header of a long name whole into memory; a path has 4096 bytes at most."""
_HEADERS = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
_HOLES = "a file with a long list of holes, as tar --sparse writes it"
"""The tarfile module keeps the list, however long; pictures have no holes."""
_PACKED: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    b"BZh": lambda file: cast("IO[bytes]", bz2.BZ2File(file)),
    b"\xfd7zXZ\0": lambda file: cast("IO[bytes]", lzma.LZMAFile(file)),  # noqa: SIM115 (closed with what it reads)
}


def open_tar(file: IO[bytes], unpacked: Callable[[int], None]) -> tarfile.TarFile:
    """A tar archive, plain or packed, to be read from its start.

    Args:
        file: at its start; reads, seeks and tells.
        unpacked: told how many more bytes are to be unpacked, also of what is passed over, before they are.

    Raises:
        tarfile.ReadError, OSError, EOFError, lzma.LZMAError, zlib.error: it is none, or damaged.
    """
    start = file.read(max(map(len, _PACKED)))
    file.seek(0)
    opener = next((one for mark, one in _PACKED.items() if start.startswith(mark)), None)
    if opener is not None:
        file = cast("IO[bytes]", _Unpacked(opener(file), unpacked))  # all that tarfile asks of it
    return tarfile.open(fileobj=file, mode="r:", tarinfo=_StrictHeader)


def is_tar(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a tar archive, plain or packed."""
    if start.startswith(tuple(_PACKED)):
        return True
    try:
        tarfile.TarInfo.frombuf(start[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class _Unpacked:
    """An unpacked stream that tells how far it is read. To seek in it is to unpack all that is between."""

    def __init__(self, stream: IO[bytes], told: Callable[[int], None]) -> None:
        self._stream, self._told, self._furthest = stream, told, 0
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise io.UnsupportedOperation("nobody knows how much that is")
        self._reach(self.tell() + size)
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the start")
        self._reach(offset)
        return self._stream.seek(offset)

    def seekable(self) -> bool:
        return True

    def _reach(self, position: int) -> None:
        if position > self._furthest:
            self._told(position - self._furthest)
            self._furthest = position


class _StrictHeader(tarfile.TarInfo):
    """Refuses headers that would fill the memory, and tells a damaged or missing one from the archive's end.

    The tarfile module takes both of these for the end.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # typeshed lacks it; it is the end as it should be
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """The tarfile module's documented place for what a type of member needs."""
        if self.type in _HEADERS and not 0 <= self.size <= MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes, and {MOST_HEADER_BYTES:,} are plenty")
        if self.type == tarfile.GNUTYPE_SPARSE and self._sparse_structs[1]:  # type: ignore[attr-defined]
            raise tarfile.ReadError(_HOLES)
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # typeshed lacks it
        return found

    def _proc_gnusparse_10(self, *_details: object) -> None:
        raise tarfile.ReadError(_HOLES)
