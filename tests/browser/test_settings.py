"""What is set beside the pictures: models, how many labels, a threshold."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Concrete
from tests.browser.held import Held
from tests.browser.steps import answered, choose

pytestmark = pytest.mark.browser


def test_what_is_shown_and_printed_is_what_was_asked(page: Page, concrete: Concrete) -> None:
    """And not what is being typed by the time the answer comes."""
    page.get_by_label("Threshold").fill("1")
    page.get_by_label("Threshold").press("Enter")
    held = Held(page)
    choose(page, concrete.cracked)
    held.wait_for(1)

    page.get_by_label("Threshold").select_text()
    page.get_by_label("Threshold").press_sequentially("0.5")
    held.routes[0].continue_()

    expect(answered(page)).to_contain_text("threshold 100.0 %")
    expect(page.locator("#curl code")).to_contain_text("top_k=5&threshold=1'")


def test_what_cannot_be_asked_for_is_not_sent(page: Page, concrete: Concrete) -> None:
    """The last value that could be is used for as long, and the field says what is wrong with its own."""
    asked: list[dict[str, list[str]]] = []

    def note(url: str) -> None:
        if "/predict" in url:
            asked.append(parse_qs(urlsplit(url).query))

    page.on("request", lambda request: note(request.url))
    page.get_by_label("Labels shown").fill("0")
    page.get_by_label("Threshold").fill("7")
    choose(page, concrete.cracked)
    answered(page)

    page.locator("#model").select_option("colours")
    expect(page.locator(".who .model")).to_have_text("colours")
    answered(page)

    assert asked == [{"top_k": ["5"]}, {"top_k": ["5"]}]
    assert page.get_by_label("Labels shown").evaluate("(field) => field.matches(':user-invalid')")
