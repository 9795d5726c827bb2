"""Waiting for something that another thread or process does."""

import time
from collections.abc import Callable


def until(holds: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Return as soon as `holds()` is true; fail when it does not become so."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {within_s:g} s")
        time.sleep(0.005)
