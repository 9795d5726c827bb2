"""What went wrong elsewhere, as an error of the trainer's."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from shared.addresses import shown
from shared.errors import AddressUnusable, FinialError, PackageMissing
from shared.remote import RemotePlace, open_place, what_failed
from trainer.errors.caches import CacheNotWritable
from trainer.errors.sources import DataUnreachable, ExtraMissing

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_WAIT_S = 60.0


def open_data(location: str) -> RemotePlace:
    """Open the address of data.

    Raises:
        ExtraMissing: a package that reads such addresses is missing.
        DataUnreachable: nobody knows such addresses.
    """
    try:
        return open_place(location, patience_s=_WAIT_S)
    except PackageMissing as error:
        raise ExtraMissing(shown(location), package=error.package) from error
    except AddressUnusable as error:
        raise DataUnreachable(shown(location), error.detail) from error


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
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise CacheNotWritable(folder, error.strerror or str(error)) from error
        raise DataUnreachable(shown(location), what_failed(error, location)) from error
