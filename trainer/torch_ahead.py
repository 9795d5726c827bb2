"""torch, imported beside other work: that takes a second or more, and a run whose features are cached needs it late."""

import contextlib
import ctypes
import gc
import importlib.util
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

# Opened through ctypes, which lets other threads run meanwhile; Python's own import of an extension does not.
_LIBRARIES = ("libc10.so", "libtorch_cpu.so", "libtorch_cuda.so", "libtorch_python.so")


def import_torch_ahead() -> threading.Thread:
    """Start to import torch on a thread, and return that.

    Whoever imports torch meanwhile waits for it. If it cannot be imported, nothing happens here: whoever needs it gets
    the error.
    """
    # Not a daemon: a thread that Python ends in the middle of a library's own start would take the process with it.
    thread = threading.Thread(target=quietly, args=(_import_torch,), name="import-torch")
    thread.start()
    return thread


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


def _import_torch() -> None:
    with without_collector():
        if (found := importlib.util.find_spec("torch")) is not None and found.origin is not None:
            for name in _LIBRARIES:
                quietly(partial(ctypes.CDLL, str(Path(found.origin).parent / "lib" / name)))
        import torch  # noqa: F401
