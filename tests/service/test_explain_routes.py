"""POST /explain as a client sees it."""

import asyncio
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from service.batching import MicroBatching
from service.explaining import GRID
from service.settings import ServiceSettings
from tests.service.bundles import SPEC, publish_bundle
from tests.service.pictures import GREEN, RED, picture
from tests.service.running import running_app


def half_and_half() -> bytes:
    """Left half red, right half green, twice as wide as high."""
    image = Image.new("RGB", (64, 32), GREEN)
    image.paste(RED, (0, 0, 32, 32))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = half_and_half()
AS_PNG = {"Content-Type": "image/png"}


def ask(models_dir: Path, *paths: str, batching: MicroBatching = "auto", **request: Any) -> list[httpx.Response]:
    settings = ServiceSettings(models_dir=models_dir, poll_interval_s=3600, micro_batching=batching)

    async def answers() -> list[httpx.Response]:
        async with running_app(settings) as (_, client):
            return [await client.post(path, **({"content": PICTURE, "headers": AS_PNG} | request)) for path in paths]

    return asyncio.run(answers())


@pytest.mark.parametrize(("with_maps", "method"), [(True, "class-activation"), (False, "occlusion")])
@pytest.mark.parametrize("batching", ["auto", "on"])
def test_the_heat_lies_where_the_labels_colour_is(
    tmp_path: Path, *, with_maps: bool, method: str, batching: MicroBatching
) -> None:
    bundle = publish_bundle(tmp_path, with_maps=with_maps, spec=SPEC.model_copy(update={"fit": "stretch"}))

    for_red, for_green = ask(tmp_path, "/explain?label=red", "/models/colours/explain?label=green", batching=batching)

    assert (for_red.status_code, for_green.status_code) == (200, 200)
    red, green = for_red.json(), for_green.json()
    assert (red["label"], red["method"], green["method"]) == ("red", method, method)
    assert (red["model"], red["version"]) == ("colours", bundle.version)
    assert red["box"] == {"left": 0, "top": 0, "right": 1, "bottom": 1}
    half = len(red["heat"][0]) // 2
    for row, other in zip(red["heat"], green["heat"], strict=True):
        assert min(row[:half]) > 0 > max(row[-half:])
        assert min(other[-half:]) > 0 > max(other[:half])
    assert max(abs(value) for row in red["heat"] for value in row) == 1.0
    assert len(red["heat"]) == (SPEC.height if with_maps else GRID)


def test_the_score_is_that_of_predict_and_the_best_label_is_the_default(tmp_path: Path) -> None:
    publish_bundle(tmp_path, with_maps=True)

    predicted, explained = (
        answer.json() for answer in ask(tmp_path, "/predict", "/explain", content=picture((220, 40, 60)))
    )

    assert (explained["label"], explained["score"]) == (predicted["label"], pytest.approx(predicted["score"], rel=1e-6))
    assert explained["request_id"] != predicted["request_id"]


def test_a_picture_in_which_nothing_speaks_for_any_label_has_no_heat(tmp_path: Path) -> None:
    publish_bundle(tmp_path)

    (answer,) = ask(tmp_path, "/explain", content=picture((90, 90, 90)))

    assert answer.json()["heat"] == [[0.0] * GRID] * GRID


@pytest.mark.parametrize("with_maps", [True, False])
def test_its_time_is_told_by_stage_as_that_of_predict(tmp_path: Path, *, with_maps: bool) -> None:
    publish_bundle(tmp_path, with_maps=with_maps)

    (answer,) = ask(tmp_path, "/explain")

    stages = [entry.split(";")[0] for entry in answer.headers["server-timing"].split(", ")]
    assert stages == ["receive", "queue", "decode", "run"]


@pytest.mark.parametrize(
    ("path", "request_", "status", "slug"),
    [
        ("/explain?label=purple", {}, 400, "unknown-label"),
        ("/explain?labels=red", {}, 400, "bad-parameter"),
        ("/explain?label=", {}, 400, "bad-parameter"),
        ("/models/shapes/explain", {}, 404, "unknown-model"),
        ("/explain", {"content": b"<svg/>"}, 415, "unknown-format"),
        ("/explain", {"content": PICTURE[:90]}, 422, "undecodable-picture"),
        ("/explain", {"content": b""}, 400, "no-picture"),
        (
            "/explain",
            {"content": None, "headers": {}, "files": [("file", PICTURE), ("file", PICTURE)]},
            400,
            "too-many-pictures",
        ),
    ],
)
def test_what_cannot_be_explained_is_a_problem(
    tmp_path: Path, path: str, request_: dict[str, Any], status: int, slug: str
) -> None:
    publish_bundle(tmp_path)

    (answer,) = ask(tmp_path, path, **request_)

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:finial:problem:{slug}")


def test_an_unknown_label_is_answered_with_those_that_are_known(tmp_path: Path) -> None:
    publish_bundle(tmp_path)

    (answer,) = ask(tmp_path, "/explain?label=gren")

    assert "it knows 'green', 'red', 'blue'" in answer.json()["detail"]
