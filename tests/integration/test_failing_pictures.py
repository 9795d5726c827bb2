"""What fails with one picture of a request fails with that one alone, and is told as what it is."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from service.generation import Generation
from service.micro_batch import MicroBatcher
from service.registry import Registry
from service.settings import ServiceSettings
from shared.bundle import Bundle
from shared.errors import RunFailed
from tests.service.fakes import FakeSession, fake_generation
from tests.service.pictures import BLUE, GREEN, RED, picture
from tests.service.running import running_app

pytestmark = pytest.mark.anyio

THREE_FILES = [("file", ("a.png", picture(colour), "image/png")) for colour in (RED, BLUE, GREEN)]
BLUE_FILE = [THREE_FILES[1]]


class AfraidOfBlue(FakeSession):
    """Fails with blue pictures; does something else on the way."""

    def __init__(self, occasion: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._occasion = occasion

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        self._occasion()
        if any(blue > 100 for blue in images[..., 2].mean(axis=(1, 2))):
            raise RunFailed(images.shape, detail="index 9 is out of bounds, /secret/path.cc")
        return [np.repeat(found, len(images), axis=0) for found in super().run(images, outputs)]


@pytest.fixture
async def running(bundle: Bundle, models_dir: Path) -> AsyncIterator[tuple[Registry, httpx.AsyncClient]]:
    async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=3600)) as (app, client):
        yield app.state.runtime.registry, client


@pytest.fixture(params=["alone", "together"])
def generation(request: pytest.FixtureRequest) -> Generation:
    if request.param == "alone":
        return fake_generation(session=AfraidOfBlue())
    return Generation("colours", fake_generation().bundle, MicroBatcher(AfraidOfBlue()))  # type: ignore[arg-type]


def told(result: dict[str, str]) -> str:
    return result.get("label") or result["type"].removeprefix("urn:finial:problem:")


async def test_a_picture_with_which_the_model_fails_takes_no_other_along(
    running: tuple[Registry, httpx.AsyncClient], generation: Generation
) -> None:
    registry, client = running
    registry.put(generation)

    answer = await client.post("/predict", files=THREE_FILES)

    assert answer.status_code == httpx.codes.OK
    assert [told(result) for result in answer.json()["results"]] == ["green", "model-failed", "green"]


async def test_a_client_hears_that_its_picture_is_the_occasion_and_the_operator_hears_why(
    running: tuple[Registry, httpx.AsyncClient], generation: Generation, caplog: pytest.LogCaptureFixture
) -> None:
    registry, client = running
    registry.put(generation)

    with caplog.at_level(logging.ERROR):
        answer = await client.post("/predict", files=BLUE_FILE)

    assert (answer.status_code, told(answer.json())) == (500, "model-failed")
    assert "'colours' (version v1) fails with this picture" in answer.json()["detail"]
    assert "secret" not in answer.text
    (line,) = [record.__dict__ for record in caplog.records if record.message == "run failed"]
    assert (line["model"], line["version"]) == ("colours", "v1")
    assert "index 9 is out of bounds" in line["error"]


async def test_a_model_that_goes_between_two_pictures_takes_no_result_along(
    running: tuple[Registry, httpx.AsyncClient],
) -> None:
    registry, client = running
    registry.put(fake_generation(session=AfraidOfBlue(lambda: registry.remove("colours"))))

    answer = await client.post("/models/colours/predict", files=THREE_FILES)

    assert [told(result) for result in answer.json()["results"]] == ["green", "unknown-model", "unknown-model"]
