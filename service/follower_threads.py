"""A thread for each model that is followed, however often one cannot be started."""

import threading
import time
from collections.abc import Callable, Collection

from service.follower import Follower
from service.store_errors import FollowerNotStarted


class FollowerThreads:
    """Threads by follower. Used by one thread at a time, but for `join`.

    Args:
        follow: what such a thread does.
        start: starts one; may raise RuntimeError where the process can have no more.
    """

    def __init__(self, follow: Callable[[Follower], None], *, start: Callable[[threading.Thread], None]) -> None:
        self._follow, self._start = follow, start
        self._threads: dict[Follower, threading.Thread] = {}

    def keep(self, followers: Collection[Follower]) -> None:
        """Let each have a living thread; one whose thread could not be started has its turn again the next time.

        Raises:
            FollowerNotStarted: some have none.
        """
        self._threads = {follower: thread for follower, thread in self._threads.items() if thread.is_alive()}
        without = [follower for follower in followers if follower not in self._threads]
        for number, follower in enumerate(without):
            name = f"watcher-{follower.name}"
            thread = threading.Thread(target=self._follow, args=(follower,), name=name, daemon=True)
            try:
                self._start(thread)
            except RuntimeError as error:
                raise FollowerNotStarted([each.name for each in without[number:]], str(error)) from error
            self._threads[follower] = thread

    def join(self, *, until: float) -> None:
        """Wait for the end of all, but no longer than `until`, s of time.monotonic(): one may hang for ever."""
        for thread in list(self._threads.values()):
            thread.join(timeout=max(0.0, until - time.monotonic()))
