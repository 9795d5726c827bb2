"""Answers of others, answers that never come, and what is asked again when the service is back."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Concrete
from tests.browser.held import Held, until
from tests.browser.steps import answered, choose, drop, problem
from tests.service.pictures import RED, picture

pytestmark = pytest.mark.browser

PREDICTION = {"label": "a", "score": 1}
STRANGE = (
    "{}",
    "[]",
    "null",
    "<h1>Welcome to our network</h1>",
    '{"predictions": []}',
    json.dumps({"label": "a", "score": 1, "predictions": [{"label": 1, "score": 1}], "novelty": None}),
    json.dumps({"label": "a", "score": 1, "predictions": [PREDICTION], "model": "m", "version": "v"}),
)


def answering(body: str, status: int = 200) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, body=body)


def test_what_is_no_answer_is_told_apart_and_the_next_picture_is_answered(page: Page, concrete: Concrete) -> None:
    for body in STRANGE:
        page.route("**/predict*", answering(body))
        choose(page, concrete.cracked)
        expect(problem(page)).to_contain_text("Somebody else answered (200)")
        page.unroute("**/predict*")
        page.get_by_role("button", name="Remove all").click()

    choose(page, concrete.cracked)

    answered(page)


def test_what_is_no_evidence_is_told_apart(page: Page, concrete: Concrete) -> None:
    page.route("**/explain*", lambda route: route.fulfill(body='{"label": "a", "heat": [], "box": {}}'))
    choose(page, concrete.cracked)
    answered(page)

    page.get_by_role("button", name="Where is the evidence?").click()

    expect(problem(page)).to_contain_text("Somebody else answered (200)")


@pytest.mark.parametrize("body", ['{"message": "no upstream"}', "[]", '{"title": 5, "detail": {}}', "null"])
def test_a_problem_of_somebody_else_is_not_shown_as_one_of_the_service(
    page: Page, concrete: Concrete, body: str
) -> None:
    page.route("**/predict*", answering(body, 502))

    choose(page, concrete.cracked)

    expect(problem(page)).to_contain_text("Somebody else answered (502)")


def test_a_fault_of_the_page_does_not_keep_the_next_picture_from_its_answer(page: Page, concrete: Concrete) -> None:
    """As in a browser that lacks something."""
    page.evaluate("() => { delete globalThis.DataTransfer }")

    choose(page, concrete.cracked, concrete.uncracked)

    answered(page, 2)
    expect(page.locator("#notice")).to_contain_text("This page failed. It could not show what came of")


def test_a_request_that_never_ends_is_given_up_and_the_next_is_made(page: Page, concrete: Concrete) -> None:
    page.clock.install()
    held = Held(page)
    choose(page, concrete.cracked, concrete.uncracked)
    held.wait_for(1)

    page.clock.fast_forward(61_000)

    expect(page.locator(".problem")).to_contain_text("Nothing was answered within 60 seconds")
    held.wait_for(2)
    held.routes[1].continue_()
    answered(page, 1)
    expect(page.get_by_role("button", name="Try again")).to_be_enabled()


class Refusing:
    """Answers for the first pictures that come, each as told, and then leaves it to the service."""

    def __init__(self, page: Page, *answers: tuple[int, str, str] | None) -> None:
        self.count = 0
        self._answers = list(answers)
        page.route("**/predict*", self._answer)

    def _answer(self, route: Route) -> None:
        self.count += 1
        if not self._answers:
            route.fallback()
        elif (answer := self._answers.pop(0)) is None:
            route.abort()
        else:
            status, slug, wait_s = answer
            kind = {"type": f"urn:finial:problem:{slug}", "title": slug, "detail": "So it is.", "request_id": "r"}
            route.fulfill(status=status, headers={"Retry-After": wait_s}, body=json.dumps(kind))


def test_after_a_blip_only_that_is_asked_again_which_waits_for_the_service(page: Page) -> None:
    """Not what was refused for what it is, nor what is to wait for longer."""
    refusing = Refusing(
        page, (413, "picture-too-large", ""), (503, "queue-full", "600"), (503, "no-model", "600"), None
    )
    drop(page, *[(f"{name}.png", "image/png", picture(RED)) for name in ("large", "queue", "early", "lost")])
    expect(page.locator(".problem")).to_have_count(4)
    until(page, lambda: refusing.count == 4)

    page.context.set_offline(True)
    expect(page.locator("#state")).to_contain_text("This device is offline")
    page.context.set_offline(False)

    answered(page, 1)
    assert refusing.count == 5
    expect(page.locator(".card").filter(has=page.locator(".said-label"))).to_contain_text("lost.png")


def test_a_look_that_is_overtaken_does_not_hide_that_the_service_came_back(page: Page) -> None:
    """A late "ready" of before the blip would make the one after it no news, and nobody would be asked again."""
    Refusing(page, None)
    looks = Held(page, "**/health/ready")
    drop(page, ("lost.png", "image/png", picture(RED)))
    looks.wait_for(1)  # since the picture was lost
    page.evaluate("() => dispatchEvent(new Event('offline'))")
    looks.wait_for(2)
    looks.routes.pop().abort()
    expect(page.locator("#state")).to_contain_text("cannot be reached")

    with page.expect_response("**/health/ready"):
        looks.let_go()
    page.evaluate("() => dispatchEvent(new Event('online'))")

    answered(page, 1)


def test_a_look_is_shown_although_another_one_has_begun(page: Page) -> None:
    """Else looks that begin faster than they are answered would show nothing until the last one has ended."""
    looks = Held(page, "**/health/ready")
    for count in (1, 2):
        page.evaluate("() => dispatchEvent(new Event('offline'))")
        looks.wait_for(count)

    looks.routes[0].abort()

    expect(page.locator("#state")).to_contain_text("cannot be reached")


def test_what_was_seen_last_is_not_taken_from_the_cache_and_a_page_that_is_seen_again_looks(page: Page) -> None:
    with page.expect_request("**/health/ready") as looked:
        page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")

    assert looked.value.all_headers()["cache-control"] == "no-cache"


def test_a_removed_picture_is_no_longer_asked_about(page: Page, concrete: Concrete) -> None:
    held = Held(page)
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    choose(page, concrete.cracked, concrete.uncracked)
    held.wait_for(1)

    page.get_by_role("button", name=f"Remove {concrete.cracked.name}").first.click()

    held.wait_for(2)
    until(page, lambda: given_up)  # told on a way of its own, before the next request or after it
    assert len(given_up) == 1
    assert page.locator(".problem").count() == 0


def test_an_answer_that_is_no_longer_wanted_is_not_shown(page: Page, concrete: Concrete) -> None:
    held = Held(page)
    choose(page, concrete.cracked)
    held.wait_for(1)

    page.locator("#model").select_option("colours")
    held.wait_for(2)

    assert page.locator("#said").text_content() == "", "that of the model before was given up, which is not told"
    held.routes[1].continue_()
    answered(page)
    expect(page.locator(".who .model")).to_have_text("colours")


def test_what_is_removed_is_gone(page: Page) -> None:
    """The code about it, and the file that the code for a console would have sent."""
    for name in ("kept.png", "gone.png"):
        drop(page, (name, "image/png", picture(RED)))
        expect(page.locator("#program-name")).to_have_text(name)

    page.get_by_role("button", name="Remove kept.png").click()
    expect(page.locator("#program-name")).to_have_text("gone.png")
    drop(page, ("kept.png", "image/png", picture(RED)))
    expect(page.locator("#program-name")).to_have_text("kept.png")
    page.get_by_role("button", name="Remove kept.png").click()

    expect(page.locator("#program")).to_be_hidden()
    assert page.evaluate("() => document.getElementById('files').files.length") == 0
    assert "kept.png" not in (page.locator("#program").text_content() or "")


def test_a_model_that_is_no_longer_served_is_told_of_and_the_pictures_are_asked_about_anew(
    page: Page, concrete: Concrete
) -> None:
    page.get_by_label("Compare with").select_option("colours")
    gone = {"type": "urn:finial:problem:unknown-model", "title": "There is no such model", "detail": "colours"}

    def only_concrete(route: Route) -> None:
        served = route.fetch().json()
        route.fulfill(json={**served, "models": [one for one in served["models"] if one["name"] == "concrete"]})

    page.route("**/models/colours/predict*", lambda route: route.fulfill(status=404, json=gone))
    page.route("**/models", only_concrete)

    choose(page, concrete.cracked)

    expect(page.locator("#notice")).to_contain_text("No longer served: colours")
    expect(page.locator(".pane")).to_have_count(1)
    answered(page)
    expect(page.get_by_label("Compare with")).to_have_value("")
