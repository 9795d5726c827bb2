"""The short way to a prediction says what the long one says."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.settings import ServiceSettings
from shared.bundle import Bundle
from tests.service.pictures import picture
from tests.service.running import running_app

AS_JPEG = {"Content-Type": "image/jpeg"}
LONG_WAY = "?top_k=5"  # the default, said aloud


def ask(models_dir: Path, *paths: str, **request: Any) -> list[httpx.Response]:
    settings = ServiceSettings(models_dir=models_dir, poll_interval_s=3600)

    async def answers() -> list[httpx.Response]:
        async with running_app(settings) as (_, client):
            answers = [await client.post(path, **request) for path in paths]
            counted = await client.get("/metrics")
            return [*answers, counted]

    return asyncio.run(answers())


def told(answer: httpx.Response) -> tuple[int, dict[str, Any], list[str]]:
    """What an answer says, without what differs from one to the next."""
    body = answer.json()
    for each in [body, *body.get("results", ())]:
        each.pop("request_id", None)  # an answer about several pictures has none of its own
    return answer.status_code, body, sorted(answer.headers)


@pytest.mark.parametrize("path", ["/predict", "/models/{name}/predict", "/models/nobody/predict"])
@pytest.mark.parametrize(
    "request_of",
    [
        {"content": picture(), "headers": AS_JPEG},
        {"files": [("file", picture())]},
        {"files": [("file", picture()), ("file", b"no picture"), ("image", picture())]},
        {"content": b"no picture", "headers": AS_JPEG},
        {"content": b"", "headers": AS_JPEG},
        {"content": b"text", "headers": {"Content-Type": "text/plain"}},
        {"content": b"--", "headers": {"Content-Type": "multipart/form-data; boundary=it"}},
    ],
    ids=["picture", "form", "several", "no picture", "nothing", "text", "broken form"],
)
def test_both_ways_answer_alike(bundle: Bundle, models_dir: Path, path: str, request_of: dict[str, Any]) -> None:
    path = path.format(name=bundle.metadata.name)
    short, long, _ = ask(models_dir, path, path + LONG_WAY, **request_of)
    assert told(short) == told(long)


def test_both_ways_are_counted_under_the_routes_template(bundle: Bundle, models_dir: Path) -> None:
    paths = ("/predict", f"/models/{bundle.metadata.name}/predict")
    *_, counted = ask(models_dir, *paths, *(path + LONG_WAY for path in paths), content=picture(), headers=AS_JPEG)
    for route in ("/predict", "/models/{name}/predict"):
        assert f'finial_requests_total{{route="{route}",status="200"}} 2.0' in counted.text


def test_a_deadline_of_the_clients_own_is_kept_on_either_way(bundle: Bundle, models_dir: Path) -> None:
    headers = AS_JPEG | {"X-Request-Timeout-Ms": "nonsense"}
    answer, _ = ask(models_dir, "/predict", content=picture(), headers=headers)
    assert answer.status_code == 400 and "X-Request-Timeout-Ms" in answer.json()["detail"]
