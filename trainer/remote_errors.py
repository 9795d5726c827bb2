"""What went wrong elsewhere, in words that hold no secret: addresses are signed, and libraries repeat them."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from shared.errors import FinialError
from trainer.errors import CacheNotWritable, DataUnreachable, ExtraMissing
from trainer.locations import shown, without_secrets

_PACKAGES = {
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
}
_ABSENT = (404, 410)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@contextlib.contextmanager
def package_there(location: str, scheme: str) -> Iterator[None]:
    """Name the package that reads such addresses, where it is missing."""
    try:
        yield
    except ImportError as error:
        raise ExtraMissing(shown(location), package=_PACKAGES.get(scheme, f"for fsspec's {scheme}://")) from error
    except ValueError as error:
        raise DataUnreachable(shown(location), without_secrets(str(error), location)) from error


@contextlib.contextmanager
def reached(location: str, folder: Path) -> Iterator[None]:
    """Every file system has errors of its own, which share no root.

    Args:
        location: what is read.
        folder: where it is written.
    """
    try:
        yield
    except FinialError:
        raise
    except FileNotFoundError as error:
        raise DataUnreachable(shown(location), _why_not_found(error, location)) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise CacheNotWritable(folder, error.strerror or str(error)) from error
        raise DataUnreachable(shown(location), _told(error, location)) from error


def says_absent(error: FileNotFoundError) -> bool:
    """Whether the place itself says so; for http, fsspec raises this also when nobody answered, or not with a file."""
    return error.__cause__ is None or getattr(error.__cause__, "status", None) in _ABSENT


def _why_not_found(error: FileNotFoundError, location: str) -> str:
    if error.__cause__ is None or says_absent(error):
        return "there is no such file or folder"
    return _told(error.__cause__, location)


def _told(error: BaseException, location: str) -> str:
    """A server's answer by its number and reason, which is all of it that repeats no address."""
    if (status := getattr(error, "status", None)) is not None:
        message = without_secrets(str(getattr(error, "message", "")), location)
        return f"the server answers {status} {message}".rstrip()
    return without_secrets(str(error), location) or type(error).__name__
