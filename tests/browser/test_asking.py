"""Pictures come in, and what the service says about them is shown."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Concrete, OpenPage
from tests.browser.steps import answered, choose, drop, paste, problem
from tests.service.bundles import publish_bundle
from tests.service.pictures import BLUE, RED, picture
from tests.service.running import ServiceProcess, running_process

pytestmark = pytest.mark.browser


def test_a_chosen_picture_is_answered_as_a_program_would_be(
    page: Page, service: ServiceProcess, concrete: Concrete
) -> None:
    """What is sent is the file: no pixel is touched on the way."""
    with service.client() as client:
        told = client.post("/predict", files={"file": concrete.cracked.read_bytes()}).json()

    choose(page, concrete.cracked)

    expect(answered(page)).to_contain_text(f"{told['label']} {100 * told['score']:.1f} %")
    shown = [bar.split("\n") for bar in page.locator(".bar").all_inner_texts()]
    wanted = [[one["label"], f"{100 * one['score']:.1f} %"] for one in told["predictions"]]
    assert [[line[0], line[-1]] for line in shown] == wanted
    expect(page.locator(".who")).to_contain_text(f"concrete {told['version']}")
    expect(page.locator(".told")).to_contain_text(f"novelty {told['novelty']:.3f} of 1")


def test_the_time_is_told_by_stage_and_in_all(page: Page, concrete: Concrete) -> None:
    choose(page, concrete.cracked)
    answered(page)

    for stage in ("Answered in", "received", "waited", "decoded", "computed", "network and the rest"):
        expect(page.locator(".timing")).to_contain_text(stage)
    parts = page.locator(".timing li").all_inner_texts()
    in_all = float(page.locator(".timing p").inner_text().split()[2])
    assert sum(float(part.split()[-2]) for part in parts) == pytest.approx(in_all, abs=2.0)


def test_several_pictures_are_answered_one_by_one_and_can_be_removed(page: Page, concrete: Concrete) -> None:
    choose(page, concrete.cracked, concrete.uncracked)

    answered(page, 2)
    page.get_by_role("button", name=f"Remove {concrete.cracked.name}").first.click()
    answered(page, 1)
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator(".card")).to_have_count(0)
    expect(page.get_by_role("button", name="Choose pictures")).to_be_focused()


def test_dropped_and_pasted_pictures_are_taken(page: Page, concrete: Concrete) -> None:
    content = concrete.uncracked.read_bytes()

    drop(page, ("dropped.jpg", "image/jpeg", content))
    answered(page, 1)
    paste(page, ("image.png", "image/png", picture(RED)))
    answered(page, 2)

    names = page.locator(".card .name").all_inner_texts()
    assert names[1] == "dropped.jpg"
    assert names[0].startswith("pasted-"), "a pasted picture has no name of its own"
    expect(page.locator(".card").first.get_by_role("link", name="Save")).to_be_visible()


def test_the_camera_has_a_shutter(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").click()

    answered(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".card .name")).to_contain_text("camera-")
    assert page.evaluate("() => document.getElementById('video').srcObject") is None, "the camera is given back"


def test_a_camera_that_is_not_lent_is_explained_and_another_way_is_offered(
    open_page: OpenPage, service: ServiceProcess, concrete: Concrete
) -> None:
    page = open_page(service.url, permissions=[])
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('Permission denied') } }"
    )

    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("dialog")).to_contain_text("Permission denied")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take or choose one another way").click()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files(str(concrete.cracked))

    answered(page)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_top_k_and_threshold_are_asked_for_anew(page: Page, concrete: Concrete) -> None:
    choose(page, concrete.cracked)
    answered(page)

    page.get_by_label("Labels shown").fill("1")
    page.get_by_label("Threshold").fill("1")
    page.get_by_label("Threshold").press("Enter")

    expect(page.locator(".said-label")).to_contain_text("No label")
    expect(page.locator(".said-label")).to_contain_text("threshold 100.0 %")
    expect(page.locator(".bar")).to_have_count(1)


def test_an_unfamiliar_picture_is_warned_of(page: Page, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")

    choose(page, tmp_path / "noise.png")

    answered(page)
    expect(page.locator(".told .note")).to_contain_text("Unlike the training pictures")
    expect(page.locator("#said")).to_contain_text("unlike the training pictures")


def test_a_turned_photograph_is_shown_upright(page: Page, tmp_path: Path) -> None:
    """As the service sees it: a heat map would lie in the wrong place otherwise."""
    turned = Image.Exif()
    turned[0x0112] = 6
    (tmp_path / "turned.jpg").write_bytes(picture(size=(60, 30), kind="JPEG", exif=turned))

    choose(page, tmp_path / "turned.jpg")

    answered(page)
    expect(page.locator(".size")).to_contain_text("30 × 60")
    box = page.locator(".frame").bounding_box()
    assert box is not None
    assert box["height"] == pytest.approx(2 * box["width"], rel=0.02)


def test_a_file_whose_name_tells_nothing_is_sent(page: Page, tmp_path: Path) -> None:
    """What it is, its first bytes tell the service."""
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), BLUE).save(buffer, "BMP")
    (tmp_path / "unnamed").write_bytes(buffer.getvalue())

    choose(page, tmp_path / "unnamed")

    answered(page)


def test_what_the_browser_cannot_show_is_sent_all_the_same(page: Page, tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))

    choose(page, tmp_path / "photo.heic")

    expect(problem(page)).to_contain_text("Not an accepted picture format (415)")
    expect(page.locator(".blind")).to_be_visible()


def test_what_is_no_picture_is_not_sent(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.method))

    drop(page, ("notes.txt", "text/plain", b"hello"))

    expect(problem(page)).to_contain_text("notes.txt is text/plain; it was not sent")
    assert "POST" not in requests


def test_a_file_that_is_too_large_is_not_sent(page: Page, tmp_path: Path) -> None:
    (tmp_path / "large.jpg").write_bytes(b"\xff\xd8" + bytes(11 * 1024**2))

    choose(page, tmp_path / "large.jpg")

    expect(problem(page)).to_contain_text("It has 11 MiB, the service takes 10 MiB; it was not sent")


def test_something_dropped_that_is_no_file_is_explained(page: Page) -> None:
    drop(page)

    expect(page.locator("#notice")).to_contain_text("is no file")


def test_a_notice_goes_with_what_it_was_about(page: Page, concrete: Concrete) -> None:
    notice = page.locator("#notice")
    drop(page)
    expect(notice).to_be_visible()
    expect(page.locator("#said")).to_contain_text("is no file")

    choose(page, concrete.cracked)

    expect(notice).to_be_hidden()
    paste(page)
    expect(notice).to_contain_text("What was pasted is no picture")
    paste(page, ("image.png", "image/png", picture(RED)))
    expect(notice).to_be_hidden()


def test_text_for_a_field_is_the_fields(page: Page) -> None:
    for give in (drop, paste):
        give(page, into="#threshold")
        expect(page.locator("#notice")).to_be_hidden()

    paste(page, ("image.png", "image/png", picture(RED)), into="#threshold")

    answered(page)


def test_the_preview_is_what_the_service_sees(open_page: OpenPage, service: ServiceProcess, tmp_path: Path) -> None:
    """Through a picture that can be seen through, white is seen; of one that moves, the first."""
    page = open_page(service.url, color_scheme="dark")
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])

    choose(page, tmp_path / "moving.gif")

    answered(page)
    expect(page.locator(".size")).to_contain_text("the first is asked about")
    assert page.locator(".frame img").evaluate("(it) => getComputedStyle(it).backgroundColor") == "rgb(255, 255, 255)"


def test_labels_and_names_of_files_are_only_text(open_page: OpenPage, tmp_path: Path) -> None:
    """Both are other people's: whoever names a folder or a file must not run anything in this page."""
    evil = "<img src=x onerror=alert(1)>"
    publish_bundle(tmp_path / "models", labels=(evil, "<script>alert(2)</script>", "&lt;b&gt;"))
    with running_process(tmp_path / "models") as service:
        service.wait_until_ready()
        page = open_page(service.url)
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

        drop(page, (f"{evil}.png", "image/png", picture(RED)))

        expect(answered(page)).to_contain_text(evil)
        expect(page.locator(".card .name")).to_have_text(f"{evil}.png")
        page.get_by_role("button", name="Where is the evidence?").click()
        expect(page.locator(".evidence-said")).not_to_contain_text("Looking")
        assert page.locator("img").count() == 1
        assert dialogs == []


def test_a_form_that_is_only_just_too_large_is_refused_by_the_service(page: Page, tmp_path: Path) -> None:
    """The file alone would fit. The service answers before all of it was sent, and the browser reads that."""
    (tmp_path / "just.jpg").write_bytes(b"\xff\xd8" + bytes(10 * 1024**2 - 12))

    choose(page, tmp_path / "just.jpg")

    expect(problem(page)).to_contain_text("The body is too large (413)")
