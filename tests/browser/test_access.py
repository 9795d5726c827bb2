"""Everybody can use it: by keyboard, with a screen reader, on a phone, in the dark, with colours of one's own."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Concrete, OpenPage
from tests.browser.steps import answered, choose, drop
from tests.service.bundles import publish_bundle
from tests.service.running import ServiceProcess, running_process

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1200, "height": 900}
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def faults(page: Page) -> list[str]:
    """What axe-core finds: names of rules with the elements that break them."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(
    open_page: OpenPage, service: ServiceProcess, concrete: Concrete, scheme: str, viewport: dict[str, int]
) -> None:
    """Contrast of AA in both themes, names of all controls, landmarks, headings in order."""
    page = open_page(service.url, color_scheme=scheme, viewport=viewport, bypass_csp=True, reduced_motion="reduce")
    assert faults(page) == []

    page.get_by_label("Compare with").select_option("colours")
    choose(page, concrete.cracked)
    answered(page, 2)
    page.get_by_role("button", name="Where is the evidence?").first.click()
    expect(page.locator(".evidence-said").first).not_to_contain_text("Looking")
    drop(page, ("notes.txt", "text/plain", b"hello"))
    page.locator(".problem").first.wait_for()
    assert faults(page) == []

    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").wait_for()
    assert faults(page) == []


def test_nothing_is_wider_than_a_phone(open_page: OpenPage, service: ServiceProcess, concrete: Concrete) -> None:
    page = open_page(service.url, viewport=PHONE, is_mobile=True, has_touch=True)
    page.get_by_label("Compare with").select_option("colours")
    choose(page, concrete.cracked)
    answered(page, 2)

    assert page.evaluate("() => document.documentElement.scrollWidth") == PHONE["width"]
    sizes = [button.bounding_box() for button in page.locator(".bar, .button.first").all()]
    assert min(size["height"] for size in sizes if size) >= 40, "fingers are not mice"


def test_a_long_label_makes_nothing_wider(open_page: OpenPage, concrete: Concrete, tmp_path: Path) -> None:
    """Labels are names of folders: up to 200 characters without a space."""
    for name in ("one", "two"):
        publish_bundle(tmp_path / "models", name, labels=("x" * 200, f"{name[0]}" * 200))
    with running_process(tmp_path / "models", "--default-model", "one") as service:
        service.wait_until_ready()
        page = open_page(service.url, viewport=PHONE, is_mobile=True, has_touch=True)
        page.get_by_label("Compare with").select_option("two")
        choose(page, concrete.cracked)
        answered(page, 2)
        page.get_by_role("button", name="Where is the evidence?").first.click()
        expect(page.locator(".evidence-said").first).not_to_contain_text("Looking")

        for width in (PHONE["width"], DESKTOP["width"]):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("() => document.documentElement.scrollWidth") == width


def test_of_many_labels_the_first_are_shown(open_page: OpenPage, concrete: Concrete, tmp_path: Path) -> None:
    publish_bundle(tmp_path / "models", labels=tuple(f"label {number:02}" for number in range(30)))
    with running_process(tmp_path / "models") as service:
        service.wait_until_ready()
        page = open_page(service.url)
        page.get_by_label("Labels shown").fill("30")
        choose(page, concrete.cracked)
        answered(page)
        expect(page.locator(".bar:visible")).to_have_count(20)

        page.get_by_role("button", name="Show 10 more").click()

        expect(page.locator(".bar:visible")).to_have_count(30)
        expect(page.locator(".bar").nth(20)).to_be_focused()


def focused(page: Page) -> str:
    return str(page.evaluate("() => (document.activeElement.id || document.activeElement.textContent || '').trim()"))


def test_the_keyboard_is_enough(page: Page, concrete: Concrete) -> None:
    """From the top: choose, settings, answers, evidence, code, in the order in which they are read."""
    order = []
    for _ in range(6):
        page.keyboard.press("Tab")
        order.append(focused(page))
    assert order == ["choose", "open-camera", "model", "beside", "top-k", "threshold"]

    page.get_by_role("button", name="Choose pictures").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(str(concrete.cracked))
    answered(page)
    page.locator("#threshold").focus()
    order = []
    for _ in range(6):
        page.keyboard.press("Tab")
        order.append(focused(page).split("\n")[0])
    assert order[:3] == ["clear", "Remove", "Where is the evidence?"]
    assert order[3].startswith(("cracked", "uncracked"))


def test_what_has_the_focus_is_seen(page: Page) -> None:
    for selector in ("#choose", "#open-camera", "#model", "#top-k", "footer a"):
        page.locator(selector).first.focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        width = page.evaluate("() => parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert width >= 2, selector


def test_escape_closes_the_camera_and_gives_it_back(page: Page) -> None:
    page.locator("#open-camera").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Take the picture")).to_be_focused()

    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert focused(page) == "open-camera"
    page.wait_for_function("() => document.getElementById('video').srcObject === null")  # by an event, a moment later


def test_results_are_announced(page: Page, concrete: Concrete) -> None:
    choose(page, concrete.cracked)
    label = answered(page).locator("bdi").inner_text()

    said = page.locator("#said[role=status]")
    expect(said).to_contain_text(f"{concrete.cracked.name}: {label}, ")


def test_of_many_pictures_it_is_announced_that_they_are_through(page: Page, concrete: Concrete) -> None:
    """And not each answer: nobody could stop a screen reader that reads thirty of them."""
    page.evaluate(
        """() => {
            const said = document.getElementById("said");
            globalThis.heard = [];
            new MutationObserver(() => heard.push(said.textContent)).observe(said, { childList: true });
        }"""
    )

    choose(page, *[concrete.cracked, concrete.uncracked] * 6)
    answered(page, 12)

    expect(page.locator("#said")).to_have_text("All 12 pictures are through.")
    assert page.evaluate("() => heard") == ["10 of 12 pictures are through.", "All 12 pictures are through."]


def test_who_tries_again_finds_themselves_at_the_picture(page: Page, concrete: Concrete) -> None:
    page.route("**/predict*", lambda route: route.abort())
    choose(page, concrete.cracked)
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/predict*")

    again.focus()
    page.keyboard.press("Enter")

    answered(page)
    expect(page.get_by_role("heading", name=concrete.cracked.name)).to_be_focused()


def test_links_to_what_is_for_programs_leave_the_pictures_alone(page: Page) -> None:
    for link in page.locator("footer a").all():
        assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener")


@pytest.mark.parametrize("media", [{"forced_colors": "active"}, {"reduced_motion": "reduce"}], ids=str)
def test_it_respects_what_people_set(
    open_page: OpenPage, service: ServiceProcess, concrete: Concrete, media: dict[str, Any]
) -> None:
    page = open_page(service.url, **media)
    choose(page, concrete.cracked)
    answered(page)

    bar = page.locator(".track i").first
    moving, colour, track = bar.evaluate(
        "(bar) => [getComputedStyle(bar).transitionDuration, getComputedStyle(bar).backgroundColor,"
        " getComputedStyle(bar.parentElement).backgroundColor]"
    )
    if "reduced_motion" in media:
        assert moving == "0s"
    assert colour != track, "a bar is told from what it lies on"
