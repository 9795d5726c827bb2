"""Every kind of problem has a page, and what the page shows is what a real service answers."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from service.problems import BAD_PARAMETER, INTERNAL, KINDS, METHOD_NOT_ALLOWED, NOT_FOUND, TYPE_PREFIX, Kind
from service.request_counts import REFUSED
from tests.integration.provoked_problems import IN_APP, ON_SOCKETS, PROGRAM_OPTIONS, Answered
from tests.service.bundles import publish_bundle
from tests.service.running import ServiceProcess, running_process

PAGES = Path(__file__).resolve().parents[2] / "docs" / "problems"
BY_SLUG = {kind.slug: kind for kind in (BAD_PARAMETER, INTERNAL, METHOD_NOT_ALLOWED, NOT_FOUND, *KINDS.values())}
NOT_PROVOKED: Mapping[str, str] = {
    "admin-busy": "a look must hang for longer than 10 s; see tests/service/test_steered_follower.py",
    "store-unreachable": "a store must answer at the start and no more at the verb; see the same",
}
"""Kinds that no test can make a service answer with, and why."""

OF_OPEN_INFERENCE = ("bad-inference-request", "models-not-controlled", "unknown-version", "unsupported-encoding")
"""Kinds that come only below /v2, where errors have another form."""

PARTS = ["## Why it comes", "## What a client does", "## What an operator does"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    models_dir = tmp_path_factory.mktemp("models")
    publish_bundle(models_dir, "flowers")
    with running_process(models_dir, *PROGRAM_OPTIONS) as process:
        process.wait_until_ready()
        yield process
        assert process.stop() == 0


def page_of(slug: str) -> str:
    return (PAGES / f"{slug}.md").read_text("utf-8")


def shown_on(page: str) -> dict[str, object]:
    (block,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown: dict[str, object] = json.loads(block)
    return shown


def comparable(body: dict[str, object]) -> dict[str, object]:
    """A problem without what differs between two of a kind: names of requests, versions and folders, counts, times."""
    detail = re.sub(r"\d{8}T\d{9}Z-[0-9a-f]{8}", "VERSION", str(body["detail"]))
    detail = re.sub(r"[^\s(]*/models/flowers/current", "FOLDER/current", detail)
    detail = re.sub(r"^\d+ requests are waiting", "N requests are waiting", detail)
    detail = re.sub(r"within [0-9.]+ s;", "within S s;", detail)
    detail = re.sub(r"taken in \d+ s;", "taken in N s;", detail)
    detail = re.sub(r"[^\s(]*/models/flowers/(VERSION|has)", r"FOLDER/\1", detail)
    return {**body, "detail": detail, "request_id": ""}


def without_versions(body: dict[str, object]) -> dict[str, object]:
    """An error of the Open Inference Protocol, which has nothing else that differs."""
    return {"error": re.sub(r"\d{8}T\d{9}Z-[0-9a-f]{8}", "VERSION", str(body.pop("error"))), **body}


def assert_is_as_shown(slug: str, answered: Answered) -> None:
    content = answered.content if isinstance(answered, httpx.Response) else answered.body
    found = json.loads(content)
    if slug in OF_OPEN_INFERENCE:
        status = answered.status_code if isinstance(answered, httpx.Response) else answered.status
        assert (status, without_versions(found)) == (BY_SLUG[slug].status, without_versions(shown_on(page_of(slug))))
        return
    assert found["request_id"] == answered.headers["x-request-id"]
    kind = BY_SLUG[slug]
    assert (found["type"], found["status"]) == (TYPE_PREFIX + slug, kind.status)
    if slug == "rate-limited":  # as long as it takes
        assert 1 <= int(answered.headers["retry-after"]) <= 60
    else:
        assert answered.headers.get("retry-after") == (str(kind.retry_after_s) if kind.retry_after_s else None)
    assert comparable(found) == comparable(shown_on(page_of(slug))), json.dumps(found, indent=2, ensure_ascii=False)


@pytest.mark.anyio
@pytest.mark.parametrize("slug", IN_APP)
async def test_a_page_shows_what_the_service_answers(slug: str, tmp_path: Path) -> None:
    assert_is_as_shown(slug, await IN_APP[slug](tmp_path))


@pytest.mark.parametrize("slug", ON_SOCKETS)
def test_a_page_shows_what_the_connection_answers(slug: str, program: ServiceProcess) -> None:
    assert_is_as_shown(slug, ON_SOCKETS[slug](program))


def test_every_kind_has_a_page_and_every_page_a_kind() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "README") == sorted(BY_SLUG)


def test_every_kind_is_provoked_or_it_is_said_why_not() -> None:
    assert sorted([*IN_APP, *ON_SOCKETS, *NOT_PROVOKED]) == sorted(BY_SLUG)


@pytest.mark.parametrize("kind", BY_SLUG.values(), ids=lambda kind: kind.slug)
def test_a_page_begins_with_what_programs_know_and_has_every_part(kind: Kind) -> None:
    title, name, meaning, *_ = page_of(kind.slug).split("\n\n")
    waiting = f" · `Retry-After: {kind.retry_after_s}`" if kind.retry_after_s else ""

    assert title == f"# {kind.title}"
    assert name == f"`{TYPE_PREFIX}{kind.slug}` · {kind.status}{waiting}"
    assert meaning.endswith(".")
    assert [line for line in page_of(kind.slug).splitlines() if line.startswith("#")][1:] == PARTS


@pytest.mark.parametrize("kind", BY_SLUG.values(), ids=lambda kind: kind.slug)
def test_a_page_names_the_count_of_refusals_only_where_it_is_counted(kind: Kind) -> None:
    assert "finial_refused_total" not in page_of(kind.slug) or kind.status in REFUSED


def test_the_index_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| (\d{3}) \| \[`([a-z-]+)`\]\(([a-z-]+)\.md\) \| (.*) \|$", page_of("README"), re.MULTILINE)

    assert all(slug == file for _, slug, file, _ in rows)
    assert sorted((status, slug, title) for status, slug, _, title in rows) == sorted(
        (str(kind.status), kind.slug, kind.title + (" (Retry-After)" if kind.retry_after_s else ""))
        for kind in BY_SLUG.values()
    )
