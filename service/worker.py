"""`python -m service.worker`: one worker of several; started by `service.workers`, by nobody else.

Reads its assignment from standard input, says on standard output how far it is, and ends when its input ends.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

from service.early_signals import EarlySignals

if TYPE_CHECKING:
    from pathlib import Path

    from service.runtime import Lifecycle


def main() -> int:
    """Serve until the supervisor wants or has an end, or a signal comes. Returns the exit code."""
    gc.disable()  # what is imported stays: there is nothing to collect
    with EarlySignals() as early:
        return _work(early)


def _work(early: EarlySignals) -> int:
    from service.workers import LOOKED, SERVES, Assignment

    assignment = Assignment.model_validate_json(sys.stdin.buffer.readline())
    from service.logs import configure_logging
    from service.runtime import Lifecycle
    from service.siblings import Siblings
    from service.start import serve

    configure_logging(worker=assignment.index)
    lifecycle = Lifecycle(
        shares_listener=True,
        waits_for_models=assignment.waits_for_models,
        on_looked=partial(_say, LOOKED),
        siblings=Siblings(assignment.folder, own=assignment.index, count=assignment.count),
    )
    threading.Thread(target=_end_with_the_supervisor, args=(lifecycle,), daemon=True, name="supervisor").start()
    try:
        with socket.socket(fileno=assignment.listener) as listener:
            serve(
                assignment.settings,
                listener,
                lifecycle=lifecycle,
                on_started=partial(_say, SERVES),
                was_signalled=lambda: early.came,
            )
    finally:
        if not lifecycle.shares_listener:
            _remove_if_empty(assignment.folder)
    return 0


def _end_with_the_supervisor(lifecycle: "Lifecycle") -> None:
    """The end of the input means that the whole service ends, so nobody else will accept from the listener."""
    os.read(sys.stdin.fileno(), 1)
    lifecycle.shares_listener = False
    if not lifecycle.draining:  # else it ends already, and a further signal would cut its grace short
        os.kill(os.getpid(), signal.SIGTERM)


def _remove_if_empty(folder: "Path") -> None:
    """The last worker does what a supervisor that was killed cannot do any more."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _say(what: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # the supervisor has gone; its end is noticed by the other pipe
        os.write(sys.stdout.fileno(), what + b"\n")


if __name__ == "__main__":
    sys.exit(main())
