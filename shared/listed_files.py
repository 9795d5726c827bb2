"""Files that a list describes by name, size and digest: read only if they are exactly that."""

from pathlib import Path

from shared.errors import BundleCorrupted, BundleIncomplete
from shared.files import sha256_of, sha256_of_file


def verify_listed(folder: Path, name: str, *, sha256: str, size_bytes: int) -> None:
    """Pass a file that is as listed; reads it in pieces.

    Args:
        folder: where the list lies.
        name: posix path of the file in `folder`.
        sha256, size_bytes: what the list says.

    Raises:
        BundleIncomplete: the file is missing, a link, of another size or cannot be read.
        BundleCorrupted: its SHA-256 differs.
    """
    path = _plain_file(folder, name, size_bytes)
    try:
        found = sha256_of_file(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if found != sha256:
        raise BundleCorrupted(path, expected=sha256, found=found)


def read_listed(folder: Path, name: str, *, sha256: str, size_bytes: int) -> bytes:
    """Content of a file that is as listed. Arguments and errors as `verify_listed`."""
    path = _plain_file(folder, name, size_bytes)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    if (found := sha256_of(content)) != sha256:
        raise BundleCorrupted(path, expected=sha256, found=found)
    return content


def require_no_link(folder: Path, name: str) -> None:
    """A link, even of a folder on the way, may lead out of `folder`, or somewhere else tomorrow.

    Raises:
        BundleIncomplete: there is one.
    """
    if (folder / name).resolve() != folder.resolve() / name:
        raise BundleIncomplete(folder / name, detail="a link, expected a plain file")


def unreadable(path: Path, error: OSError) -> BundleIncomplete:
    """What to raise for a file that is there and cannot be read."""
    return BundleIncomplete(path, detail=f"cannot be read ({error.strerror})")


def _plain_file(folder: Path, name: str, size_bytes: int) -> Path:
    path = folder / name
    require_no_link(folder, name)
    try:
        if not path.is_file():
            raise BundleIncomplete(path, detail="listed in bundle.json, but missing or not a plain file")
        found = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    if found != size_bytes:
        raise BundleIncomplete(path, detail=f"{found:,} bytes, bundle.json says {size_bytes:,}")
    return path
