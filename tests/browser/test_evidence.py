"""Where the evidence lies, and two models side by side."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Concrete, OpenPage
from tests.browser.held import Held
from tests.browser.steps import answered, choose, problem
from tests.service.bundles import publish_bundle
from tests.service.running import ServiceProcess, running_process

pytestmark = pytest.mark.browser

BRUSH = """(canvas) => {
    const at = (x, y) => [...canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data];
    return { for: at(0.25, 0.25), against: at(0.75, 0.75), unseen: at(0.02, 0.5), nothing: at(0.25, 0.75) };
}"""
"""Red, green, blue and opacity of the layer at four places."""

OPACITIES = """(canvas, [rows, columns]) => {
    const { width, height } = canvas;
    const at = (row, column) => [(column + 0.5) * width / columns, (row + 0.5) * height / rows];
    const opacity = (where) => canvas.getContext("2d").getImageData(...where, 1, 1).data[3];
    const row = (y) => Array.from({ length: columns }, (_, x) => opacity(at(y, x)));
    return Array.from({ length: rows }, (_, y) => row(y));
}"""
"""How opaque the layer is in the middle of each place."""


STRIPES = """(canvas) => {
    const brush = canvas.getContext("2d");
    const [left, wide] = [Math.round(0.55 * canvas.width), Math.round(0.3 * canvas.width)];
    const pixels = (y) => [...brush.getImageData(left, Math.round(y * canvas.height), wide, 1).data];
    const reds = (y) => pixels(y).filter((_, index) => index % 4 === 0);
    const spread = (found) => Math.max(...found) - Math.min(...found);
    return { against: spread(reds(0.65)), for: spread(reds(0.2)) };
}"""
"""How much the red of the layer changes along a line."""


VERSION = """async () => {
    const { models } = await (await fetch("models")).json();
    return models.find((one) => one.name === "concrete").version;
}"""


class Explaining:
    """Answers /explain: for the label at the upper left, against it at the lower right; the rim is not seen."""

    HEAT = np.zeros((4, 4))
    HEAT[:2, :2], HEAT[2:, 2:], HEAT[3, 3] = 1.0, -0.4, -0.5

    def __init__(self, page: Page, **changed: Any) -> None:
        self.asked: list[str] = []
        box = {"left": 0.1, "top": 0.1, "right": 0.9, "bottom": 0.9}
        told = {"score": 0.9, "method": "class-activation", "heat": self.HEAT.tolist(), "box": box, "model": "concrete"}
        self.told = told | {"version": page.evaluate(VERSION), "request_id": "r"} | changed
        page.route("**/explain*", self._answer)

    def _answer(self, route: Route) -> None:
        label = parse_qs(urlsplit(route.request.url).query)["label"][0]
        self.asked.append(label)
        route.fulfill(body=json.dumps(self.told | {"label": label}))


def test_evidence_is_painted_where_it_lies_and_said_in_words(page: Page, concrete: Concrete) -> None:
    Explaining(page)
    choose(page, concrete.cracked)
    label = answered(page).locator("bdi").inner_text()

    page.get_by_role("button", name="Where is the evidence?").click()

    words = f"Most speaks for “{label}” at the top left; most against it at the bottom right, 50 % as strongly"
    expect(page.locator(".evidence-said")).to_contain_text(words)
    expect(page.locator(".evidence-said")).to_contain_text("The dashed frame is the part that the model saw.")
    expect(page.get_by_role("img", name="Most speaks for")).to_be_visible()
    layer = page.locator("canvas").evaluate(BRUSH)
    red, green, _, opacity = layer["for"]
    assert green > red
    assert opacity > 100
    red, green, _, opacity = layer["against"]
    assert red > green
    assert opacity > 50
    assert layer["nothing"][3] < 30
    assert layer["unseen"][:3] == [0, 0, 0]
    assert layer["unseen"][3] > 100


def test_what_speaks_against_is_hatched_and_not_only_of_another_colour(page: Page, concrete: Concrete) -> None:
    half = np.where(np.arange(4)[:, None] < 2, 1.0, -1.0) * np.ones((4, 4))
    Explaining(page, heat=half.tolist())
    choose(page, concrete.cracked)
    answered(page)

    page.get_by_role("button", name="Where is the evidence?").click()

    expect(page.locator("canvas")).to_be_visible()
    spread = page.locator("canvas").evaluate(STRIPES)
    assert spread["for"] < 20
    assert spread["against"] > 60


def test_evidence_of_another_version_is_not_painted_under_an_answer(page: Page, concrete: Concrete) -> None:
    Explaining(page, version="20990101T000000Z-replaced")
    choose(page, concrete.cracked)
    answered(page)

    page.get_by_role("button", name="Where is the evidence?").click()

    expect(problem(page)).to_contain_text("The model was replaced meanwhile")
    expect(problem(page)).to_contain_text("20990101T000000Z-replaced")
    expect(page.locator("canvas")).to_be_hidden()
    with page.expect_request("**/predict*"):
        page.get_by_role("button", name="Ask anew").click()
    answered(page)
    expect(page.get_by_role("heading", name=concrete.cracked.name)).to_be_focused()


def test_a_problem_with_the_evidence_is_said_once_and_the_scale_is_there_with_evidence_only(
    page: Page, concrete: Concrete
) -> None:
    choose(page, concrete.cracked)
    answered(page)
    held = Held(page, "**/explain*")
    toggle = page.get_by_role("button", name="Where is the evidence?")
    toggle.click()
    held.wait_for(1)
    expect(page.locator(".evidence-said")).to_have_text("Looking…")
    expect(page.get_by_label("Strength of the overlay")).to_be_hidden()

    problem_of_service = {"title": "Too late", "detail": "Try again.", "request_id": "r", "status": 504}
    held.routes[0].fulfill(status=504, body=json.dumps(problem_of_service))

    expect(problem(page)).to_contain_text("Too late (504)")
    expect(page.locator("#said")).to_have_text("Too late")
    expect(page.locator("[role=status] button")).to_have_count(0)
    expect(page.get_by_label("Strength of the overlay")).to_be_hidden()
    page.get_by_role("button", name="Try again").click()
    expect(toggle).to_be_focused()
    held.wait_for(2)
    held.routes[1].continue_()
    expect(page.get_by_label("Strength of the overlay")).to_be_visible()
    expect(page.locator(".problem")).to_have_count(0)


def test_the_overlay_can_be_thinned_and_taken_away(page: Page, concrete: Concrete) -> None:
    Explaining(page)
    choose(page, concrete.cracked)
    answered(page)
    toggle = page.get_by_role("button", name="Where is the evidence?")
    toggle.click()
    before = page.locator("canvas").evaluate(BRUSH)["for"][3]

    page.get_by_label("Strength of the overlay").fill("20")

    assert page.locator("canvas").evaluate(BRUSH)["for"][3] < before / 2
    expect(toggle).to_have_attribute("aria-pressed", "true")
    toggle.click()
    expect(page.locator("canvas")).to_be_hidden()
    expect(toggle).to_have_attribute("aria-pressed", "false")


def test_each_bar_shows_the_evidence_of_its_label(page: Page, concrete: Concrete) -> None:
    explaining = Explaining(page)
    choose(page, concrete.cracked)
    answered(page)
    second = page.locator(".bar").nth(1)
    label = second.locator("bdi").inner_text()

    second.click()

    expect(page.locator(".evidence-said")).to_contain_text(f"for “{label}”")
    expect(second).to_have_attribute("aria-pressed", "true")
    assert explaining.asked == [label]
    second.click()
    expect(page.locator("canvas")).to_be_hidden()


def test_two_models_are_shown_side_by_side_and_differences_are_marked(page: Page, concrete: Concrete) -> None:
    choose(page, concrete.cracked)
    label = answered(page).locator("bdi").inner_text()

    page.get_by_label("Compare with").select_option("colours")

    answered(page, 2)
    first, second = (box for box in (pane.bounding_box() for pane in page.locator(".pane").all()) if box)
    assert first["x"] + first["width"] <= second["x"]
    expect(page.locator(".compared.differ")).to_contain_text(f"concrete says “{label}”, colours says")
    expect(page.locator(".difference.much")).to_have_count(5)
    assert set(page.locator(".difference").all_inner_texts()) == {"only here"}


def test_a_model_beside_itself_differs_in_nothing(page: Page, concrete: Concrete) -> None:
    choose(page, concrete.cracked)
    answered(page)

    page.get_by_label("Compare with").select_option("concrete")

    answered(page, 2)
    expect(page.locator(".compared.agree")).to_contain_text("Both say")
    assert page.locator(".pane").nth(1).locator(".difference").all_inner_texts() == ["0.0 points", "0.0 points"]


def test_the_time_of_an_answer_is_not_that_of_two(page: Page, concrete: Concrete) -> None:
    """Requests go one after the other: two at once would wait for each other, and the stages would tell of it."""
    under_way: list[int] = [0, 0]

    def note(route: Route) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        route.fallback()

    def end(_: Any) -> None:
        under_way[0] -= 1

    page.route("**/predict*", note)
    page.on("requestfinished", lambda request: end(request) if "predict" in request.url else None)

    choose(page, concrete.cracked, concrete.uncracked)
    answered(page, 2)

    assert under_way[1] == 1


@pytest.mark.parametrize(
    ("model", "method"), [("concrete", "Read from the last layer"), ("colours", "Measured by covering")]
)
def test_the_service_itself_is_understood(
    page: Page, service: ServiceProcess, concrete: Concrete, model: str, method: str
) -> None:
    """By both of its methods: nothing above is true if its answers have another form."""
    with service.client() as client:
        picture = {"file": concrete.cracked.read_bytes()}
        told = client.post(f"/models/{model}/explain", files=picture).json()
    page.locator("#model").select_option(model)
    choose(page, concrete.cracked)
    answered(page)

    page.get_by_role("button", name="Where is the evidence?").click()

    expect(page.locator(".evidence-said")).to_contain_text(f"“{told['label']}”")
    assert np.any(told["heat"]), "choose a picture in which the model sees something"
    expect(page.locator(".evidence-said")).to_contain_text(method)
    painted = page.locator("canvas").evaluate(OPACITIES, [len(told["heat"]), len(told["heat"][0])])
    assert np.corrcoef(np.abs(told["heat"]).ravel(), np.ravel(painted))[0, 1] > 0.9


def test_two_versions_of_one_model_are_compared(open_page: OpenPage, concrete: Concrete, tmp_path: Path) -> None:
    old = publish_bundle(tmp_path / "models", labels=("red", "green"))
    new = publish_bundle(tmp_path / "models", labels=("red", "lime"))
    with running_process(tmp_path / "models", "--also", f"colours={old.version}") as service:
        service.wait_until_ready()
        page = open_page(service.url)
        page.get_by_label("Compare with").select_option(f"colours@{old.version}")

        choose(page, concrete.cracked)

        answered(page, 2)
        assert [pane.text_content() for pane in page.locator(".who .version").all()] == [new.version, old.version]
        expect(page.locator(".difference.much")).to_have_text(["only here", "only here"])
