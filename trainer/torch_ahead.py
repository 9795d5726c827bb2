"""torch, imported beside other work: that takes a second or more, and a run whose features are cached needs it late."""

import contextlib
import ctypes
import gc
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

# Opened through ctypes, which lets other threads run meanwhile; Python's own import of an extension does not.
_LIBRARIES = ("libc10.so", "libtorch_cpu.so", "libtorch_cuda.so", "libtorch_python.so")

_THREAD = "import-torch"


@contextlib.contextmanager
def torch_ahead() -> Iterator[None]:
    """Import torch on a thread while the block is at work.

    Whoever imports torch meanwhile waits for it. Python's collector of cycles is off until it is done.

    Raises:
        Exception: where the block fails and torch could not be imported, the reason for that: what the block got is
            half a torch, or another error, since torch refuses a second import after one that failed.
    """
    errors = list[Exception]()
    # Not a daemon: a thread that Python ends in the middle of a library's own start would take the process with it.
    thread = threading.Thread(target=_import_torch, args=(errors,), name=_THREAD)
    thread.start()
    try:
        yield
    except Exception as found:
        if isinstance(found, ImportError | AttributeError):
            thread.join()  # it may be just about to fail
        if errors:
            raise errors[0] from found
        raise


def is_importing() -> bool:
    """Whether such a thread is at work."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def quietly(action: Callable[[], object]) -> None:
    """Do it; an error is for those to tell who need what it was about."""
    with contextlib.suppress(Exception):
        action()


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Without the collector of cycles, if it is on: an import makes a million objects that stay, and it looks at them
    over and over, for a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _import_torch(errors: list[Exception]) -> None:
    """Do it, or say why it cannot be done."""
    if "torch" in sys.modules:
        return
    try:
        with without_collector():
            if (found := importlib.util.find_spec("torch")) is not None and found.origin is not None:
                for name in _LIBRARIES:
                    quietly(partial(ctypes.CDLL, str(Path(found.origin).parent / "lib" / name)))
            import torch  # noqa: F401
    except Exception as error:
        errors.append(error)
