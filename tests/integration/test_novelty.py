"""Novelty from end to end: learned with the head, served in the graph, told by predict and the service."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from service.settings import ServiceSettings
from shared.bundle import read_bundle
from tests.integration.pictures_on_disk import draw, write_folder
from tests.service.running import running_app
from trainer.pipeline import TrainResult, train
from trainer.predicting import PicturePrediction, predict
from trainer.progress import Quiet
from trainer.settings import PredictSettings, TrainSettings

pytestmark = pytest.mark.slow

OPTIONS = {"backbone": "nano", "views": 0, "search": False, "threads": 2, "pictures": False}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """On 120 pictures of dots and stripes."""
    work = tmp_path_factory.mktemp("novelty")
    data = write_folder(work / "shapes", per_class=60)
    places = {"models_dir": work / "models", "cache_dir": work / "cache"}
    return train(TrainSettings.model_validate({"data": data, "unfamiliar": 0.985, **places, **OPTIONS}), Quiet())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty new pictures of dots, and three of nothing of the kind."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(20):
        draw("dots", 500 + number).save(folder / f"dots {number}.png")
    slope = np.linspace(0, 255, 96).astype(np.uint8)
    Image.fromarray(
        np.stack([np.broadcast_to(slope, (96, 96)), np.full((96, 96), 250, np.uint8), slope[:, None].repeat(96, 1)], 2)
    ).save(folder / "other slope.png")
    Image.new("RGB", (96, 96), (250, 250, 250)).save(folder / "other white.png")
    Image.new("RGB", (96, 96), (5, 5, 5)).save(folder / "other black.png")
    return folder


def predicted(trained: TrainResult, pictures: Path) -> dict[str, PicturePrediction]:
    settings = PredictSettings.model_validate(
        {"bundle": trained.bundle.path, "paths": [pictures], "threads": 1, "provider": "cpu"}
    )
    return {Path(one.name).stem: one for one in predict(settings, Quiet())}


def test_the_bundle_says_that_it_tells_novelty(trained: TrainResult) -> None:
    metadata = read_bundle(trained.bundle.path).metadata

    assert metadata.outputs == ("probabilities", "logits", "features", "novelty")
    assert (metadata.thresholds.unfamiliar, metadata.thresholds.novelty_reason) == (0.985, None)
    assert "golden/novelty.npy" in metadata.files
    told = json.loads((trained.bundle.path / "metrics.json").read_text())["novelty"]
    assert [one["label"] for one in told["left_out"]] == ["dots", "stripes"]
    assert told["share"] < 0.05


def test_what_the_model_was_not_trained_for_is_unfamiliar(trained: TrainResult, pictures: Path) -> None:
    """The label may be certain all the same; that is why this is told beside it."""
    answers = predicted(trained, pictures)

    dots = [one for name, one in answers.items() if name.startswith("dots")]
    others = [one for name, one in answers.items() if name.startswith("other")]
    assert sum(one.unfamiliar is True for one in dots) <= 1
    assert [one.unfamiliar for one in others] == [True] * 3


@pytest.mark.anyio
async def test_the_service_says_the_same(trained: TrainResult, pictures: Path) -> None:
    expected = predicted(trained, pictures)

    async with running_app(ServiceSettings(models_dir=trained.bundle.path.parent.parent)) as (_, client):
        for name in ("dots 0", "other white"):
            answer = await ask(client, pictures / f"{name}.png")
            assert answer["unfamiliar"] is expected[name].unfamiliar
            assert answer["novelty"] == pytest.approx(expected[name].novelty, abs=1e-4)


@pytest.mark.anyio
async def test_unfamiliar_pictures_among_the_traffic_are_drift_and_new_pictures_of_its_kind_are_none(
    trained: TrainResult, tmp_path: Path
) -> None:
    """By the reference that the trainer has put into the bundle."""
    async with running_app(ServiceSettings(models_dir=trained.bundle.path.parent.parent)) as (_, client):
        for number in range(200):
            draw(("dots", "stripes")[number % 2], 1000 + number).save(tmp_path / "one.png")
            await ask(client, tmp_path / "one.png")
        alike = (await client.get("/models/shapes")).json()["drift"]
        Image.new("RGB", (96, 96), (250, 250, 250)).save(tmp_path / "white.png")
        for _ in range(100):
            await ask(client, tmp_path / "white.png")
        strange = (await client.get("/models/shapes")).json()["drift"]

    assert (alike["pictures"], strange["pictures"]) == (200, 300)
    assert alike["label"] < 0.05 and alike["novelty"] < 0.05
    assert 0.1 < strange["novelty"] < 1 / 3


async def ask(client: httpx.AsyncClient, picture: Path) -> dict[str, object]:
    answer: dict[str, object] = (
        await client.post("/predict", content=picture.read_bytes(), headers={"Content-Type": "image/png"})
    ).json()
    return answer
