"""Locks between programs. The system releases them however the program that holds one ends."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from shared.errors import PublishConflict

_ASK_AGAIN_S = 0.05


@contextlib.contextmanager
def locked(path: Path, *, wait_s: float) -> Iterator[None]:
    """Hold the exclusive lock of a file, which is made if need be and never removed.

    Raises:
        PublishConflict: another program held it for all of `wait_s` seconds.
    """
    with _opened(path, os.O_RDWR | os.O_CREAT) as handle:
        _lock(handle, path, wait_s)
        yield


@contextlib.contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Hold the exclusive lock of a folder that exists, under whatever name it gets meanwhile.

    Raises:
        PublishConflict: another program holds it.
        OSError: there is no such folder.
    """
    with _opened(path, os.O_RDONLY | os.O_DIRECTORY) as handle:
        _lock(handle, path, wait_s=0)
        yield


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    handle = os.open(path, flags, 0o666)
    try:
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, path: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise PublishConflict(path, waited_s=wait_s) from error
        time.sleep(_ASK_AGAIN_S)
