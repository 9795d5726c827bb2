"""The report as it is looked at: on a phone, at a desk and on paper, with few labels and with many."""

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.full_report import full_report

pytestmark = pytest.mark.browser

KINDS = ("hairline crack", "open crack", "daisy", "dandelion", "rose", "concrete, wet", "rust", "moss", "spalling")
LABELS = {
    "2": KINDS[:2],
    "10": (*KINDS, "other"),
    "20": tuple(f"{KINDS[n % len(KINDS)]} {n}" for n in range(20)),
    "101": tuple(f"{KINDS[n % len(KINDS)]} {n}" for n in range(101)),
    "long": tuple(letter * 200 for letter in "abc"),
}
Media = Literal["screen", "print"]
SEEN: dict[str, tuple[int, Media]] = {
    "phone": (390, "screen"),
    "desk": (1280, "screen"),
    "paper": (688, "print"),  # A4 less its margins
}

# What reaches beyond the page's right edge and lies in nothing that scrolls by itself.
SPILLED = """() => {
    const width = document.documentElement.clientWidth + 1;
    const scrolls = (element) => {
        const inside = getComputedStyle(element).overflowX !== "visible";
        return inside && element.getBoundingClientRect().right <= width;
    };
    const within = (element) => element && (scrolls(element) || within(element.parentElement));
    return [...document.querySelectorAll("body *")]
        .filter((element) => element.getBoundingClientRect().width && element.getBoundingClientRect().right > width)
        .filter((element) => !within(element.parentElement))
        .map((element) => `${element.tagName}.${element.className}: ${element.textContent.trim().slice(0, 40)}`);
}"""


@pytest.fixture(scope="module")
def reports(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page for each choice of labels."""
    folder, pages = tmp_path_factory.mktemp("reports"), {}
    for name, labels in LABELS.items():
        pages[name] = folder / f"{name}.html"
        pages[name].write_text(full_report(labels), "utf-8")
    return pages


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("seen", SEEN)
def test_nothing_spills_over_the_edge_and_nothing_is_fetched_or_thrown(
    browser: Browser, reports: dict[str, Path], labels: str, seen: str
) -> None:
    width, media = SEEN[seen]
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        said, fetched = heard(page)
        page.emulate_media(media=media)
        page.goto(reports[labels].as_uri())

        assert page.evaluate(SPILLED) == []
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert (said, fetched) == ([], [reports[labels].as_uri()])


def heard(page: Page) -> tuple[list[str], list[str]]:
    """What the page says on its console or throws, and what it asks for beyond its own text."""
    said: list[str] = []
    fetched: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("data:") else fetched.append(request.url))
    return said, fetched


@pytest.mark.parametrize("labels", ["2", "101"])
def test_paper_shows_what_a_screen_folds_or_scrolls(browser: Browser, reports: dict[str, Path], labels: str) -> None:
    """Dark on white whatever the reader's screen is set to; no box is cut, no section closed."""
    settings: dict[str, Any] = {"viewport": {"width": 688, "height": 900}, "color_scheme": "dark"}
    with browser.new_context(**settings) as context:
        page = context.new_page()
        page.goto(reports[labels].as_uri())
        page.emulate_media(media="print", color_scheme="dark")

        assert page.evaluate(PALE) == []
        assert page.evaluate(CUT) == []


# Words that are not dark, by the sum of red, green and blue (white: 765).
PALE = """() => [...document.querySelectorAll("body, p, td, th, h1, h2, h3, dd, a, .soft")]
    .map((one) => getComputedStyle(one).color)
    .filter((colour) => colour.match(/\\d+/g).slice(0, 3).reduce((total, part) => total + Number(part), 0) > 400)"""

CUT = """() => [...document.querySelectorAll(".scroll, .tall, details > *:not(summary)")]
    .filter((box) => !box.getBoundingClientRect().height || box.scrollHeight > box.clientHeight + 1)
    .map((box) => `${box.tagName}.${box.className}: ${box.textContent.trim().slice(0, 40)}`)"""


@pytest.mark.parametrize("labels", ["20", "101"])
def test_a_table_that_scrolls_keeps_saying_what_a_row_is_about(
    browser: Browser, reports: dict[str, Path], labels: str
) -> None:
    with browser.new_context(viewport={"width": 390, "height": 900}) as context:
        page = context.new_page()
        page.goto(reports[labels].as_uri())
        box = page.locator("#labels .scroll").first

        assert box.evaluate("box => { box.scrollLeft = 1e6; return box.scrollLeft }") > 0
        moved = "box => box.querySelector('tbody th').getBoundingClientRect().left - box.getBoundingClientRect().left"
        assert abs(box.evaluate(moved)) <= 2
