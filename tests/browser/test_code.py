"""The code that the page prints does what the page did, as it is printed."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser.conftest import Concrete
from tests.browser.pasting import paste_into_a_terminal
from tests.browser.steps import answered, choose, drop, printed, quiet_environment

pytestmark = pytest.mark.browser

AWKWARD = """it's; a "te\\st", 1 $HOME.jpg"""


@pytest.fixture
def asked(page: Page, concrete: Concrete, tmp_path: Path) -> Page:
    """A picture with an awkward name was asked about, with a threshold, and of two models."""
    (tmp_path / AWKWARD).write_bytes(concrete.cracked.read_bytes())
    page.get_by_label("Labels shown").fill("2")
    page.get_by_label("Threshold").fill("0.25")
    page.get_by_label("Compare with").select_option("colours")
    choose(page, tmp_path / AWKWARD)
    answered(page, 2)
    return page


def shown(page: Page) -> list[list[str]]:
    panes = page.locator(".pane").all()
    return [[bar.locator("bdi").inner_text() for bar in pane.locator(".bar").all()] for pane in panes]


def labels(answers: list[dict[str, Any]]) -> list[list[str]]:
    return [[one["label"] for one in answer["predictions"]] for answer in answers]


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=quiet_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_curl_commands_run_as_printed(asked: Page, tmp_path: Path) -> None:
    output = run(["bash", "-euc", printed(asked, "curl").replace("curl ", "curl -sS -w '\\n' ")], tmp_path)

    answers = [json.loads(line) for line in output.splitlines()]
    assert [answer["model"] for answer in answers] == ["concrete", "colours"]
    assert labels(answers) == shown(asked)
    assert {len(answer["predictions"]) for answer in answers} == {2}


def test_the_python_runs_as_printed(asked: Page, tmp_path: Path) -> None:
    (tmp_path / "asked.py").write_text(printed(asked, "python"), encoding="utf-8")

    output = run([sys.executable, "asked.py"], tmp_path)

    answers = [ast.literal_eval(line) for line in output.splitlines()]
    assert [answer["model"] for answer in answers] == ["concrete", "colours"]
    assert labels(answers) == shown(asked)


def test_the_javascript_runs_as_printed_in_the_console_of_the_page(asked: Page) -> None:
    logged: list[ConsoleMessage] = []
    asked.on("console", lambda message: logged.append(message))  # noqa: PLW0108 - it wants a function of Python's
    console = asked.context.new_cdp_session(asked)

    done = console.send(
        "Runtime.evaluate", {"expression": printed(asked, "javascript"), "replMode": True, "awaitPromise": True}
    )

    assert "exceptionDetails" not in done, done
    answers = [message.args[0].json_value() for message in logged]
    assert [answer["model"] for answer in answers] == ["concrete", "colours"]
    assert labels(answers) == shown(asked)


def test_a_click_copies_it(asked: Page) -> None:
    asked.context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked.get_by_role("radio", name="Python").check()

    asked.locator("#python").get_by_role("button", name="Copy").click()

    asked.locator("#python").get_by_role("button", name="Copied").wait_for()
    assert asked.evaluate("() => navigator.clipboard.readText()") == printed(asked, "python")


@pytest.mark.parametrize(
    "name",
    ["a\x03 touch INJECTED\n.jpg", "a\x1b[201~\x03 touch INJECTED\n.jpg", "a\x9b\x7f.jpg", "a\u202egpj.exe"],
    ids=["interrupt", "end of paste", "c1", "turned"],
)
def test_a_name_that_acts_on_a_terminal_is_not_printed(
    page: Page, concrete: Concrete, tmp_path: Path, name: str
) -> None:
    """Names of files are other people's: what is copied and pasted must run nothing but what is shown."""
    (tmp_path / "picture.jpg").write_bytes(concrete.cracked.read_bytes())
    drop(page, (name, "image/jpeg", concrete.cracked.read_bytes()))
    answered(page)

    said = paste_into_a_terminal(printed(page, "curl"), tmp_path)

    assert not (tmp_path / "INJECTED").exists()
    assert '"predictions":' in said
    expect(page.locator("#program-name")).to_have_text("picture.jpg (its own name is not safe to paste)")
    for language in ("curl", "python"):
        assert all(letter == "\n" or letter.isprintable() for letter in printed(page, language))


def test_a_picture_that_is_named_like_standard_input_is_read_all_the_same(
    page: Page, concrete: Concrete, tmp_path: Path
) -> None:
    (tmp_path / "-").write_bytes(concrete.cracked.read_bytes())
    choose(page, tmp_path / "-")
    answered(page)

    output = run(["bash", "-euc", printed(page, "curl").replace("curl ", "curl -sS ")], tmp_path)

    assert labels([json.loads(output)]) == shown(page)
