"""Archives and data elsewhere, and the folder that sample pictures are written to."""

from collections.abc import Sequence
from pathlib import Path

from trainer.errors import BadData, UsageError
from trainer.some_names import some


class ArchiveDamaged(BadData):
    """An archive of pictures cannot be read to its end."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__(
            f"{origin}: the archive cannot be unpacked ({detail}). Expected a whole .zip, or a .tar, plain or "
            "packed with gz, xz or bz2: copy it again, or unpack it yourself and name the folder."
        )


class ArchiveEncrypted(BadData):
    """An archive of pictures asks for a password."""

    def __init__(self, origin: str, name: str) -> None:
        super().__init__(f"{origin}: {name} is encrypted. Unpack the archive yourself, and name the folder.")


class UnsafeName(BadData):
    """A file in an archive, or elsewhere, is to be written outside the folder that it is unpacked into."""

    def __init__(self, origin: str, name: str) -> None:
        super().__init__(
            f"{origin}: {name!r} would be written outside its folder. Expected relative names without '..': this is "
            "no archive of pictures as programs make them; find out where it comes from before you use it."
        )


class UnsafeRow(BadData):
    """A table that came with an archive, or from elsewhere, lists a file of this machine's own."""

    def __init__(self, table: Path, path: Path) -> None:
        super().__init__(
            f"{table}: it lists {path}, which did not come with it. Expected only files of that archive or address: "
            "find out where it comes from before you use it, or unpack it yourself and name the folder."
        )


class TooLarge(BadData):
    """What an archive, or a folder elsewhere, holds is more than may be put on the disk."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__(
            f"{origin}: it holds too much: {detail}. Nothing of it was kept. Free some space, name another disk with "
            "--cache-dir, or unpack what you need yourself and name the folder."
        )


class DataUnreachable(UsageError):
    """Data elsewhere cannot be read."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__(
            f"{origin}: cannot be read ({detail}). Check the address, the access rights and the network; "
            "what was fetched so far is kept, and the same command goes on from there."
        )


class ExtraMissing(UsageError):
    """A package that talks to where the data is is not installed."""

    def __init__(self, origin: str, *, package: str) -> None:
        super().__init__(f"{origin}: reading it needs the package {package}. Install it: pip install {package}.")


class FolderNotEmpty(UsageError):
    """The sample pictures would be mixed with others."""

    def __init__(self, folder: Path, found: Sequence[str]) -> None:
        super().__init__(
            f"{folder}: there is something in it already ({some(found)}). Name an empty or a new folder, so that "
            "the sample pictures stay by themselves."
        )
