"""A service that asks for keys: the page asks for one as well, and keeps it to itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Concrete, OpenPage
from tests.browser.steps import answered, choose, printed, quiet_environment
from tests.service.running import ROOT, ServiceProcess, running_process

pytestmark = pytest.mark.browser

ASKS_FOR_A_KEY = "#key-form:not([hidden])"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def key(key_file: Path) -> str:
    command = [sys.executable, "-m", "service.keys", "new", "--name", "tester", "--api-keys", str(key_file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.fixture
def locked(concrete: Concrete, key: str, key_file: Path) -> Iterator[ServiceProcess]:
    with running_process(concrete.models, "--default-model", "concrete", "--api-keys", str(key_file)) as process:
        process.wait_until_ready()
        yield process


def give(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_label("API key").press("Enter")


def test_a_key_is_asked_for_and_used_and_printed_nowhere(
    open_page: OpenPage, locked: ServiceProcess, key: str, concrete: Concrete
) -> None:
    page = open_page(locked.url, wait_for=ASKS_FOR_A_KEY)
    expect(page.get_by_label("API key")).to_be_focused()
    choose(page, concrete.cracked)
    expect(page.locator(".problem")).to_contain_text("(401)")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/predict" in request.url else None)

    expect(page.get_by_role("link", name="Models")).to_have_count(0)  # a link carries no key

    give(page, "not-the-key")
    expect(page.locator("#key-said")).to_have_text("The key was not accepted.")
    give(page, key)

    answered(page)
    assert len(asked) == 1, "nothing is asked with a key that was not accepted"
    expect(page.locator(ASKS_FOR_A_KEY)).to_have_count(0)
    for language in ("curl", "python", "javascript"):
        assert key not in printed(page, language)
    done = subprocess.run(
        ["bash", "-euc", printed(page, "curl")],
        cwd=concrete.cracked.parent,
        env={**quiet_environment(), "FINIAL_KEY": key},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["model"] == "concrete"


def test_the_key_is_gone_with_the_page(open_page: OpenPage, locked: ServiceProcess, key: str) -> None:
    page = open_page(locked.url, wait_for=ASKS_FOR_A_KEY)
    give(page, key)
    expect(page.locator(ASKS_FOR_A_KEY)).to_have_count(0)
    assert page.evaluate("() => [localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]

    page.reload()

    expect(page.locator(ASKS_FOR_A_KEY)).to_have_count(1)
    expect(page.get_by_label("API key")).to_have_value("")


def test_the_key_is_asked_for_until_one_was_accepted(open_page: OpenPage, locked: ServiceProcess) -> None:
    page = open_page(locked.url, wait_for=ASKS_FOR_A_KEY)
    page.route("**/models", lambda route: route.fulfill(status=503, body="{}"))
    page.route("**/health/ready", lambda route: route.fulfill(status=503, json={"reason": "draining"}))

    page.evaluate("() => dispatchEvent(new Event('online'))")  # it looks at once

    expect(page.locator("#state")).to_contain_text("shutting down")
    expect(page.locator(ASKS_FOR_A_KEY)).to_have_count(1)


def test_a_key_that_ends_meanwhile_is_asked_for_wherever_that_is_said(page: Page, concrete: Concrete) -> None:
    said = {"type": "urn:finial:problem:key-missing", "title": "The request needs a key", "detail": "None came."}
    page.route("**/explain*", lambda route: route.fulfill(status=401, json=said))
    choose(page, concrete.cracked)
    answered(page)

    page.get_by_role("button", name="Where is the evidence?").click()

    expect(page.locator(ASKS_FOR_A_KEY)).to_have_count(1)
    expect(page.get_by_label("API key")).to_be_focused()


def test_looking_costs_a_key_next_to_nothing_of_its_rate(page: Page) -> None:
    """Health is open; what is served counts, and is asked for when something has changed, or after minutes."""
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    look_again(page)
    look_again(page)
    assert asked == ["/health/ready", "/health/ready"]

    page.clock.fast_forward(400_000)
    with page.expect_request("**/models"):
        look_again(page)


def look_again(page: Page) -> None:
    with page.expect_response("**/health/ready"):
        page.evaluate("() => dispatchEvent(new Event('online'))")
