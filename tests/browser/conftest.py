"""A real service with a really trained model, and a real browser that opens its page."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import NOTE_VIOLATIONS, find_chromium, running_chromium, violations
from tests.browser.proxy import proxy_below
from tests.service.bundles import publish_bundle
from tests.service.running import ROOT, ServiceProcess, running_process

OpenPage = Callable[..., Page]

PATIENCE_MS = 20_000  # for what a loaded machine needs; nothing is timed here
expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Concrete:
    """Procedural pictures of concrete, and the models that are served: `concrete`, trained on them, and `colours`."""

    models: Path
    cracked: Path
    uncracked: Path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program to start."""
    if (program := find_chromium()) is None:
        if os.environ.get("FINIAL_REQUIRE_BROWSER") == "1":
            pytest.fail("the page could not be tested: there is no Chromium, and FINIAL_REQUIRE_BROWSER=1")
        pytest.skip("needs Chromium (Debian: apt-get install chromium), or FINIAL_CHROMIUM=path of one")
    return program


@pytest.fixture(scope="module")  # no longer: while Playwright runs, no other test can have an event loop
def browser(chromium: str) -> Iterator[Browser]:
    with running_chromium(chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def concrete(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Concrete:
    folder = tmp_path_factory.mktemp("concrete")
    pictures, models = folder / "pictures", folder / "models"
    trainer("sample", pictures, "--per-class", 60)
    where = ("--models-dir", models, "--cache-dir", folder / "cache")
    trainer("train", pictures, "--name", "concrete", "--backbone", "nano", *where)
    publish_bundle(models)
    cracked, uncracked = (sorted((pictures / label).iterdir())[0] for label in ("cracked", "uncracked"))
    return Concrete(models, cracked, uncracked)


def trainer(*arguments: object) -> None:
    command = [sys.executable, "-m", "trainer", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def service(concrete: Concrete) -> Iterator[ServiceProcess]:
    with running_process(concrete.models, "--default-model", "concrete") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens the page of a service; at the end nothing may have been thrown or have offended the policy."""
    with ExitStack() as stack:
        opened: list[tuple[Page, list[str]]] = []

        def open_it(url: str, *, wait_for: str = "#state.ready", **context: Any) -> Page:
            page = stack.enter_context(browser.new_context(**context)).new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.add_init_script(NOTE_VIOLATIONS)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            # from now on: a key opens a chooser sooner than Playwright begins to listen for one
            page.on("filechooser", lambda _: None)
            opened.append((page, errors))
            page.goto(url)
            page.wait_for_selector(wait_for)
            return page

        yield open_it
        assert [errors for _, errors in opened] == [[] for _ in opened]
        assert [violations(page) for page, _ in opened] == [[] for _ in opened]


@pytest.fixture
def page(open_page: OpenPage, service: ServiceProcess) -> Page:
    """The page of the service with both models, ready."""
    return open_page(service.url)


@pytest.fixture
def browser_prefix(service: ServiceProcess) -> Iterator[str]:
    """The service below /some/where/ of another server, as behind a proxy."""
    with proxy_below("/some/where/", service.url) as url:
        yield url
