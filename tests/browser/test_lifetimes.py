"""What is no longer wanted ends: requests, addresses of pictures, the camera."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Concrete
from tests.browser.held import Held
from tests.browser.steps import answered, choose

pytestmark = pytest.mark.browser

KEEP_TRACKS = """() => {
    const lend = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    globalThis.lent = [];
    globalThis.asked = [];
    globalThis.atOnce = true;
    navigator.mediaDevices.getUserMedia = (wanted) => new Promise((resolve) => {
        const answer = () => lend(wanted).then((stream) => { lent.push(stream.getTracks()[0]); resolve(stream); });
        asked.push(answer);
        if (atOnce) answer();
    });
}"""
"""Who asks for the camera gets it at once, or, unless `atOnce`, when the test calls what is in `asked`."""

COUNT_ADDRESSES = """() => {
    globalThis.addresses = new Set();
    const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
    URL.createObjectURL = (file) => { const url = create(file); addresses.add(url); return url; };
    URL.revokeObjectURL = (url) => { addresses.delete(url); revoke(url); };
}"""


@pytest.fixture
def tracks(page: Page) -> Page:
    page.evaluate(KEEP_TRACKS)
    return page


def open_camera(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()


def all_ended(page: Page) -> None:
    page.wait_for_function("() => lent.length > 0 && lent.every((track) => track.readyState === 'ended')")


@pytest.mark.parametrize("end", ["Escape", "shutter"])
def test_the_camera_is_given_back(tracks: Page, end: str) -> None:
    open_camera(tracks)
    shutter = tracks.get_by_role("button", name="Take the picture")
    expect(shutter).to_be_focused()

    shutter.click() if end == "shutter" else tracks.keyboard.press(end)

    all_ended(tracks)


def test_a_camera_that_comes_too_late_is_given_back_and_disturbs_nobody(tracks: Page) -> None:
    tracks.evaluate("() => { atOnce = false; }")
    open_camera(tracks)
    tracks.get_by_role("button", name="Close").click()
    open_camera(tracks)

    tracks.evaluate("() => asked[1]()")
    tracks.get_by_role("button", name="Take the picture").wait_for()
    tracks.evaluate("() => asked[0]()")

    tracks.wait_for_function("() => lent[1]?.readyState === 'ended'")
    assert tracks.evaluate("() => lent[0].readyState") == "live"
    assert tracks.evaluate("() => document.getElementById('video').srcObject.getTracks()[0] === lent[0]")
    tracks.keyboard.press("Escape")
    all_ended(tracks)


def test_a_camera_that_is_unplugged_is_told_of(tracks: Page) -> None:
    open_camera(tracks)
    tracks.get_by_role("button", name="Take the picture").wait_for()

    tracks.evaluate("() => lent[0].dispatchEvent(new Event('ended'))")

    expect(tracks.get_by_role("dialog")).to_contain_text("The camera is gone")
    expect(tracks.get_by_role("button", name="Take or choose one another way")).to_be_focused()
    expect(tracks.get_by_role("button", name="Take the picture")).to_have_count(0)
    all_ended(tracks)


def test_addresses_of_removed_pictures_are_given_back(page: Page, concrete: Concrete) -> None:
    page.evaluate(COUNT_ADDRESSES)
    choose(page, concrete.cracked, concrete.uncracked)
    answered(page, 2)
    assert page.evaluate("() => addresses.size") == 2

    page.get_by_role("button", name="Remove all").click()

    assert page.evaluate("() => addresses.size") == 0


def test_a_picture_that_is_removed_is_no_longer_asked_about(page: Page, concrete: Concrete) -> None:
    held = Held(page, "**/predict*")
    choose(page, concrete.cracked)
    held.wait_for(1)

    with page.expect_event("requestfailed"):
        page.get_by_role("button", name=f"Remove {concrete.cracked.name}").click()

    choose(page, concrete.uncracked)
    held.wait_for(2)
    held.routes[1].continue_()
    answered(page)
    expect(page.locator(".card .name")).to_have_text(concrete.uncracked.name)


def test_the_answer_for_what_was_chosen_before_is_not_shown(page: Page, concrete: Concrete) -> None:
    held = Held(page, "**/predict*")
    choose(page, concrete.cracked)
    held.wait_for(1)

    with page.expect_event("requestfailed"):
        page.locator("#model").select_option("colours")

    held.wait_for(2)
    latest = held.routes[1]
    assert latest.request.url.split("?")[0].endswith("/models/colours/predict")
    latest.continue_()
    answered(page)
    expect(page.locator(".who .model")).to_have_text("colours")
    expect(page.locator(".problem")).to_have_count(0)


def test_only_the_evidence_that_was_clicked_last_is_asked_for_and_shown(page: Page, concrete: Concrete) -> None:
    choose(page, concrete.cracked)
    answered(page)
    held = Held(page, "**/explain*")
    first, second = page.locator(".bar").all()
    label = second.locator("bdi").inner_text()

    first.click()
    held.wait_for(1)
    with page.expect_event("requestfailed"):
        second.click()
    held.wait_for(2)
    held.routes[1].continue_()

    expect(page.locator(".evidence-said bdi")).to_have_text(label)
    expect(first).to_have_attribute("aria-pressed", "false")
    assert len(held.routes) == 2


def test_it_looks_again_when_it_is_seen_again_and_never_into_a_cache(page: Page) -> None:
    with page.expect_request("**/health/ready", timeout=5_000) as looked:
        page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")

    assert looked.value.all_headers()["cache-control"] == "no-cache"


def test_who_clicks_comes_next_before_all_pictures_that_wait(page: Page, concrete: Concrete) -> None:
    choose(page, concrete.cracked)
    answered(page)
    order: list[str] = []
    page.on("request", lambda request: order.append(request.url.split("/")[-1].split("?")[0]))
    held = Held(page, "**/predict*")
    choose(page, concrete.uncracked, concrete.uncracked)
    held.wait_for(1)

    page.get_by_role("button", name="Where is the evidence?").last.click()
    held.routes[0].continue_()

    held.wait_for(2)
    held.routes[1].continue_()
    answered(page, 3)
    expect(page.locator(".evidence-said bdi")).to_have_count(1)
    assert [name for name in order if name in ("predict", "explain")] == ["predict", "explain", "predict"]
