"""What the page says while there is nothing to ask, or nobody who answers."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Concrete, OpenPage
from tests.browser.steps import answered, choose, problem
from tests.service.bundles import publish_bundle
from tests.service.running import running_process

pytestmark = pytest.mark.browser

NO_MODEL = "#state:has-text('No model is served yet')"


def test_without_a_model_it_says_so_and_asks_as_soon_as_there_is_one(
    open_page: OpenPage, concrete: Concrete, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    with running_process(tmp_path / "models") as service:
        service.wait_until_alive()
        page = open_page(service.url, wait_for=NO_MODEL)
        choose(page, concrete.cracked)
        expect(problem(page)).to_contain_text("No model is served yet")

        publish_bundle(tmp_path / "models")

        answered(page)
        expect(page.locator("#state")).to_have_text("Ready")


def test_a_service_that_is_shutting_down_is_told_of_and_its_end_as_well(
    open_page: OpenPage, concrete: Concrete
) -> None:
    with running_process(concrete.models, "--default-model", "concrete", "--drain-delay-s", "3") as service:
        service.wait_until_ready()
        page = open_page(service.url)

        service.process.terminate()
        page.evaluate("() => dispatchEvent(new Event('online'))")  # it looks at once, and not only in 20 s

        expect(page.locator("#state")).to_contain_text("shutting down")
        service.process.wait(30)
        expect(page.locator("#state")).to_contain_text("cannot be reached")
        choose(page, concrete.cracked)
        expect(problem(page)).to_contain_text("The service was not reached")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_device_that_is_offline_is_told_so_and_the_picture_is_kept(page: Page, concrete: Concrete) -> None:
    page.context.set_offline(True)
    expect(page.locator("#state")).to_contain_text("This device is offline")
    choose(page, concrete.cracked)
    expect(problem(page)).to_contain_text("This device is offline")

    page.context.set_offline(False)

    answered(page)
    expect(page.locator("#state")).to_have_text("Ready")


def test_several_models_without_a_default_are_chosen_from(
    open_page: OpenPage, concrete: Concrete, tmp_path: Path
) -> None:
    """And the code names the one that was asked: /predict alone would be refused."""
    for name in ("one", "two"):
        publish_bundle(tmp_path / "models", name)
    with running_process(tmp_path / "models") as service:
        service.wait_until_ready()
        page = open_page(service.url)
        expect(page.locator("#facts")).to_contain_text("no model is the default")
        page.locator("#model").select_option("two")

        choose(page, concrete.cracked)

        answered(page)
        expect(page.locator("#curl code")).to_contain_text("/models/two/predict?top_k=5")


def test_the_service_is_left_alone_for_as_long_as_it_asks(page: Page, concrete: Concrete) -> None:
    refusal = {"title": "Too many requests are waiting", "detail": "Come back.", "request_id": "r-17", "status": 503}

    def refuse(route: Route) -> None:
        headers = {"Retry-After": "2", "Content-Type": "application/problem+json"}
        route.fulfill(status=503, headers=headers, body=json.dumps(refusal))

    page.route("**/predict*", refuse)
    choose(page, concrete.cracked)

    expect(problem(page)).to_contain_text("Too many requests are waiting (503)")
    expect(problem(page)).to_contain_text("r-17")
    expect(page.get_by_role("button", name="Try again in 2 s")).to_be_disabled()
    page.unroute("**/predict*")
    page.get_by_role("button", name="Try again", exact=True).click()
    answered(page)


def test_an_answer_that_is_not_the_services_is_told_apart(page: Page, concrete: Concrete) -> None:
    page.route("**/predict*", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))

    choose(page, concrete.cracked)

    expect(problem(page)).to_contain_text("Somebody else answered (502)")


def test_it_works_below_a_prefix(open_page: OpenPage, browser_prefix: str, concrete: Concrete) -> None:
    """As behind a proxy that gives the service a folder of its own."""
    page = open_page(browser_prefix)

    choose(page, concrete.cracked)

    answered(page)
    expect(page.locator("#curl code")).to_contain_text(f"{browser_prefix}predict?top_k=5")


def test_a_new_page_is_seen_at_once_and_an_old_one_is_not_sent_again(page: Page) -> None:
    """The browser asks each time; that nothing has changed is all that is sent then."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    paths: dict[str, str] = {}
    statuses: dict[str, int] = {}

    def note(event: dict[str, Any]) -> None:
        paths[event["requestId"]] = httpx.URL(event["request"]["url"]).path

    session.on("Network.requestWillBeSent", note)
    session.on(  # the status on the wire: what the page is told is that of what was kept
        "Network.responseReceivedExtraInfo", lambda event: statuses.update({event["requestId"]: event["statusCode"]})
    )

    page.reload()
    page.wait_for_selector("#state.ready")

    answered = {paths[request]: status for request, status in statuses.items() if request in paths}
    asked = ("/", "/page/page.js", "/page/page.css")
    assert {path: answered.get(path) for path in asked} == dict.fromkeys(asked, httpx.codes.NOT_MODIFIED)
