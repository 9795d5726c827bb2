"""Gives memory that is free inside this process back to the system."""

import ctypes
import functools
import sys
from collections.abc import Callable


def give_back_memory() -> None:
    """After much was freed at once: a version that was closed, or what was only needed to open one.

    glibc keeps freed blocks for itself; after a MobileNetV2 was closed, 70 MB of them (decision 26). Costs a few
    milliseconds. Elsewhere than with glibc nothing happens.
    """
    _malloc_trim()(0)


@functools.cache
def _malloc_trim() -> Callable[[int], object]:
    if not sys.platform.startswith("linux"):
        return lambda _: None
    trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    return trim or (lambda _: None)
