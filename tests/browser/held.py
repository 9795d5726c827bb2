"""Requests of the page that are held back for as long as a test wants."""

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route


class Held:
    """All requests that match wait here; `routes` has them in the order in which they came."""

    def __init__(self, page: Page, pattern: str = "**/predict*") -> None:
        self._page, self._pattern = page, pattern
        self.routes: list[Route] = []
        page.route(pattern, self._hold)

    def _hold(self, route: Route) -> None:
        self.routes.append(route)

    def wait_for(self, count: int) -> None:
        until(self._page, lambda: len(self.routes) >= count)

    def let_go(self) -> None:
        """These, and all that come."""
        self._page.unroute(self._pattern)
        for route in self.routes:
            route.continue_()


def until(page: Page, condition: Callable[[], Any]) -> None:
    """Lets the page go on until it holds, for 20 seconds at most."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came"
        page.evaluate("() => new Promise((resolve) => requestAnimationFrame(resolve))")
