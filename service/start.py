"""From settings to serving, in the order that is ready soonest."""

import contextlib
import gc
import socket
from collections.abc import Callable

from service.request_counts import RequestCounts
from service.runtime import Lifecycle, Opened, open_runtime
from service.settings import ServiceSettings


def serve(
    settings: ServiceSettings,
    listener: socket.socket,
    *,
    lifecycle: Lifecycle | None = None,
    on_started: Callable[[], None] = lambda: None,
    was_signalled: Callable[[], bool] = lambda: False,
) -> None:
    """Serve on a listening socket until a signal comes, then end cleanly.

    Args:
        settings: the service's.
        listener: connections wait in it until they are accepted.
        lifecycle: what the server and the routes tell one another.
        on_started: called when connections are accepted.
        was_signalled: whether a signal came before this, and was lost on its way.
    """
    with contextlib.ExitStack() as stack:
        runtime = stack.enter_context(open_runtime(settings, lifecycle or Lifecycle(), RequestCounts()))
        # FastAPI and uvicorn are half of the start; meanwhile models are opened, by another thread on another core.
        from service.server import run

        def note_start() -> None:
            gc.freeze()  # what is here now stays; the programs have switched the collector off for their start
            gc.enable()
            on_started()

        run(Opened(runtime, stack), listener, on_started=note_start, was_signalled=was_signalled)
