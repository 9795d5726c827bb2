"""What an answer carries besides its body, and what a request may wish for; the real app, without a socket."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
from fastapi import FastAPI

from service.logs import OF_REQUEST
from service.pool import in_seconds
from service.predict_routes import PARAMETERS
from service.runtime import Runtime
from service.settings import ServiceSettings
from shared.bundle import Bundle
from tests.service.pictures import GREEN, RED, picture
from tests.service.running import running_app

pytestmark = pytest.mark.anyio

PNG = {"Content-Type": "image/png"}
TRACE = "0af7651916cd43dd8448eb211c80319c"
TIMING = re.compile(r"(receive|queue|decode|run);dur=(\d+\.\d{3})")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def running(bundle: Bundle, models_dir: Path) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    settings = ServiceSettings(models_dir=models_dir, lanes=1, max_waiting=1, max_upload=64 * 1024)
    async with running_app(settings) as app_and_client:
        yield app_and_client


def stages(answer: httpx.Response) -> list[str]:
    """Names of the stages in its header, which must have nothing else in it."""
    told = answer.headers["server-timing"]
    assert TIMING.sub("", told).strip(", ") == ""
    return [name for name, _ in TIMING.findall(told)]


# --- threshold ---


@pytest.mark.parametrize(("threshold", "label"), [("0", "red"), ("0.5", "red"), ("1", None), ("0.9999999", None)])
async def test_below_the_threshold_there_is_no_label_and_all_else_stays(
    threshold: str, label: str | None, client: httpx.AsyncClient
) -> None:
    plain = (await client.post("/predict", content=picture(RED), headers=PNG)).json()
    answer = (await client.post(f"/predict?threshold={threshold}", content=picture(RED), headers=PNG)).json()

    assert answer["label"] == label
    assert 0.9 < plain["score"] < 0.9999999
    assert {**answer, "label": "red", "request_id": ""} == {**plain, "request_id": ""}


async def test_a_score_of_exactly_the_threshold_has_its_label(client: httpx.AsyncClient) -> None:
    plain = (await client.post("/predict", content=picture(RED), headers=PNG)).json()
    exactly = {"threshold": repr(plain["score"])}

    answer = await client.post("/predict", content=picture(RED), headers=PNG, params=exactly)

    assert answer.json()["label"] == "red"


async def test_the_threshold_is_for_each_of_several_pictures(client: httpx.AsyncClient) -> None:
    files = [("file", ("a", picture(RED))), ("file", ("b", b"no picture")), ("file", ("c", picture(GREEN)))]
    answer = await client.post("/predict?threshold=1", files=files)

    assert [result.get("label", result.get("status")) for result in answer.json()["results"]] == [None, 415, None]


@pytest.mark.parametrize("value", ["", "nan", "NaN", "inf", "-inf", "1e999", "-0.1", "1.0001", "half", "50%25", "0,5"])
async def test_a_threshold_that_is_none_is_refused(value: str, client: httpx.AsyncClient) -> None:
    answer = await client.post(f"/predict?threshold={value}", content=picture(RED), headers=PNG)

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["type"] == "urn:finial:problem:bad-parameter"
    assert "threshold" in answer.json()["detail"]


# --- parameters ---


@pytest.mark.parametrize("route", ["/predict", "/models/colours/predict"])
@pytest.mark.parametrize("query", ["topk=1", "top_k=1&top_k=2", "threshold=0.5&treshold=0.6"])
async def test_what_would_be_passed_over_is_refused(query: str, route: str, client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{route}?{query}", content=picture(RED), headers=PNG)

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["type"] == "urn:finial:problem:bad-parameter"


async def test_the_parameters_that_are_known_are_those_that_the_description_has(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    for route in ("/predict", "/models/{name}/predict"):
        described = paths[route]["post"]["parameters"]
        assert {each["name"] for each in described if each["in"] == "query"} == set(PARAMETERS)


# --- Server-Timing ---


async def test_an_answer_says_where_its_time_went(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict", files={"file": picture(RED)})

    assert stages(answer) == ["receive", "queue", "decode", "run"]


async def test_pictures_that_are_run_together_have_the_same_stages(models_dir: Path, bundle: Bundle) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir, micro_batching="on")) as (_, client):
        answer = await client.post("/predict", files={"file": picture(RED)})

    assert stages(answer) == ["receive", "queue", "decode", "run"]


async def test_a_problem_says_so_as_far_as_it_came(client: httpx.AsyncClient, runtime: Runtime) -> None:
    broken = await client.post("/predict", content=picture(kind="JPEG", size=(90, 90))[:400], headers=PNG)
    too_large = await client.post("/predict", content=bytes(70_000), headers=PNG)
    with runtime.pool.lease(in_seconds(9)):
        late = await client.post("/predict", content=picture(), headers=PNG | {"X-Request-Timeout-Ms": "50"})

    assert (broken.status_code, stages(broken)) == (422, ["receive", "queue", "decode"])
    assert (too_large.status_code, stages(too_large)) == (413, ["receive"])
    assert (late.status_code, stages(late)) == (504, ["receive", "queue"])


async def test_an_error_of_ours_says_so_too(client: httpx.AsyncClient, runtime: Runtime) -> None:
    def fails(*_: object, **__: object) -> NoReturn:
        raise ValueError("ours")

    runtime.registry.require("colours").run = fails  # type: ignore[method-assign]
    answer = await client.post("/predict", content=picture(), headers=PNG)

    assert (answer.status_code, stages(answer)) == (500, ["receive", "queue", "decode", "run"])


async def test_what_nothing_was_done_for_has_no_times(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.get("/models"),
        await client.post("/models/cats/predict"),
        await client.get("/nothing"),
    ):
        assert "server-timing" not in answer.headers


# --- names and traces ---


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method, path)
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "MADEUP")
        for path in ("/", "/predict", "/models", "/models/cats", "/health/live", "/metrics", "/docs", "/nothing", "/v2")
    ],
)
async def test_every_answer_has_the_requests_name_and_every_error_is_a_problem(
    method: str, path: str, client: httpx.AsyncClient
) -> None:
    answer = await client.request(method, path, headers={"X-Request-Id": "mine-7"})

    assert answer.headers["x-request-id"] == "mine-7"
    if answer.is_error and not path.startswith("/v2"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert method == "HEAD" or answer.json()["request_id"] == "mine-7"


async def test_lines_that_are_logged_within_a_request_say_whose_they_are(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Also those of the thread that computes it."""
    seen = []
    generation = runtime.registry.require("colours")
    run = generation.run
    generation.run = lambda *args, **more: (seen.append(OF_REQUEST.get()), run(*args, **more))[1]  # type: ignore[method-assign]

    headers = PNG | {"X-Request-Id": "mine-8", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    await client.post("/predict", content=picture(), headers=headers)
    await client.post("/predict", content=picture(), headers=PNG | {"X-Request-Id": "mine-9", "traceparent": "00-1"})

    assert seen == [{"request_id": "mine-8", "trace_id": TRACE}, {"request_id": "mine-9"}]
    assert OF_REQUEST.get() == {}
