"""Work that may hang in a file system, on a thread that holds up neither the event loop nor the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


async def on_daemon_thread(work: Callable[[], Result], *, name: str) -> Result:
    """Do some work on a thread of its own, and wait for it. Whoever is cancelled meanwhile leaves it to itself."""
    future: Future[Result] = Future()
    future.set_running_or_notify_cancel()  # from now on it cannot be cancelled

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # raised again where it is awaited
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(future)
