"""The try-it page as bytes: who gets it, under which policy, and how it is kept."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from service.page_files import INDEX, MEDIA_TYPES, SCRIPT, STYLE, join_scripts
from service.page_routes import DOORS, FOLDER, PAGE, wants_html
from service.settings import ServiceSettings
from tests.service.running import running_app

pytestmark = pytest.mark.anyio

BESIDE = sorted(PAGE.keys() - {INDEX})
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
async def client(models_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        yield client


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (BROWSER["Accept"], True),
        ("TEXT/HTML", True),
        ("text/html;q=0.5, application/json;q=0.5", True),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=much", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_a_page_is_for_those_who_name_it(accept: str, wanted: bool) -> None:  # noqa: FBT001
    assert wants_html(accept) is wanted


async def test_browsers_get_the_page_and_programs_the_doors(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers=BROWSER)
    doors = await client.get("/", headers={"Accept": "application/json"})

    assert (page.headers["Content-Type"], page.content) == ("text/html; charset=utf-8", PAGE[INDEX].content)
    assert doors.json() == (await client.get("/")).json() == DOORS
    assert page.headers["Vary"] == doors.headers["Vary"] == "Accept"


async def test_the_head_of_the_page_is_that_of_the_page(client: httpx.AsyncClient) -> None:
    for path in ("/", "/page/page.css"):
        head, got = await client.head(path, headers=BROWSER), await client.get(path, headers=BROWSER)
        different = {"x-request-id"}
        assert {*head.headers.items()} ^ {*got.headers.items()} <= {
            (name, response.headers[name]) for name in different for response in (head, got)
        }


async def test_a_page_that_is_known_is_not_sent_again_and_a_new_one_is(client: httpx.AsyncClient) -> None:
    """`no-cache` lets browsers keep it and makes them ask: after an upgrade the next look shows the new page."""
    first = await client.get("/", headers=BROWSER)
    again = await client.get("/", headers={**BROWSER, "If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    upgraded = await client.get("/", headers={**BROWSER, "If-None-Match": '"that-of-an-older-page"'})

    assert first.headers["Cache-Control"] == "no-cache"
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert upgraded.status_code == httpx.codes.OK


async def test_everything_is_sent_under_the_policy(client: httpx.AsyncClient) -> None:
    answers = [await client.get("/", headers=BROWSER), *[await client.get(f"/page/{name}") for name in BESIDE]]

    for answer in answers:
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "data:"} & set(" ".join(policy.values()).split())
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "camera=(self)" in answer.headers["Permissions-Policy"]


async def test_script_and_style_are_named_by_what_is_in_them(client: httpx.AsyncClient) -> None:
    """And are not there in another version: a page and a script that do not belong together fit by chance only."""
    page = (await client.get("/", headers=BROWSER)).text
    named = dict(re.findall(r'"page/([\w.]+)\?v=(\w+)"', page))

    assert named == {name: PAGE[name].tag for name in (SCRIPT, STYLE)}
    for name, version in named.items():
        of_this_page = await client.get(f"/page/{name}", params={"v": version})
        of_another = await client.get(f"/page/{name}", params={"v": "0" * 32})
        assert (of_this_page.status_code, of_another.status_code) == (httpx.codes.OK, httpx.codes.NOT_FOUND)
        assert of_this_page.content == PAGE[name].content


@pytest.mark.parametrize("name", ["page.py", "..%2Fapp.py", "%2e%2e/app.py", "index.html", "cards.js"])
async def test_nothing_but_the_page_is_given(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/page/{name}")).status_code == httpx.codes.NOT_FOUND


# --- the files themselves ---

FILES = sorted(path for path in FOLDER.iterdir() if path.is_file())


def test_every_file_of_the_folder_is_sent_in_one_way_or_the_other() -> None:
    scripts = {path.name for path in FILES if path.suffix == ".js"}

    assert {path.name for path in FILES} == PAGE.keys() | scripts
    assert {path.suffix for path in FILES} <= set(MEDIA_TYPES)
    assert scripts == set(re.findall(r"^// --- (\S+) ---$", join_scripts(FOLDER), re.MULTILINE)), "all are imported"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_needs_nothing_from_elsewhere_and_works_below_a_prefix(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    references = re.findall(r"""(?:src|href|from|url\()\s*=?\s*["']([^"']+)["']""", text)

    assert not [found for found in references if found.startswith(("/", "http:", "https:"))]
    assert not re.findall(r"""(?:address|get)\(["']/""", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_inline_and_no_text_becomes_markup(path: Path) -> None:
    """The policy forbids it too; here it is said before a browser does."""
    text = path.read_text(encoding="utf-8")

    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=\"|<script>|javascript:", text)
    assert not re.findall(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|eval|document\.write)\b|new Function", text)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".js"], ids=lambda path: path.name)
def test_a_script_is_a_room_that_says_what_it_is(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    assert lines[0] == "// @ts-check"
    assert lines[1].startswith("// ")
    assert len(lines) <= 150


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix != ".svg"], ids=lambda path: path.name)
def test_a_line_is_read_without_scrolling(path: Path) -> None:
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 120] == []
