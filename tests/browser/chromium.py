"""Debian's Chromium, driven from here; nothing is downloaded."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # root has none, and in a container the tests may be root's
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

NOTE_VIOLATIONS = """
globalThis.violations = [];
addEventListener("securitypolicyviolation", (event) => {
    violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
"""


def find_chromium() -> str | None:
    """The program to start, or None."""
    named = os.environ.get("FINIAL_CHROMIUM")
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def running_chromium(program: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Page) -> list[str]:
    """What the page did that its Content-Security-Policy forbids."""
    found: list[str] = page.evaluate("() => globalThis.violations")
    return found
