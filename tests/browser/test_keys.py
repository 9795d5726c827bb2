"""A service that asks for keys: the page asks for one as well, and keeps it to itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Concrete, OpenPage
from tests.browser.steps import answered, choose
from tests.browser.test_code import printed, quiet_environment
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

    give(page, "not-the-key")
    expect(page.locator("#key-said")).to_have_text("The key was not accepted.")
    give(page, key)

    answered(page)
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
