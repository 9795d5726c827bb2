"""How long a request may stay: the service's limit, or less if the client says so."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray

from service.pool import in_seconds
from service.runtime import Runtime
from service.settings import ServiceSettings
from shared.bundle import Bundle
from tests.service.fakes import FakeSession, fake_generation
from tests.service.pictures import RED, picture
from tests.service.running import running_app

pytestmark = pytest.mark.anyio

HEADER = "X-Request-Timeout-Ms"
ONE_FILE = {"file": ("red.png", picture(RED), "image/png")}
THREE_FILES = [("file", ("red.png", picture(RED), "image/png"))] * 3


@pytest.fixture
async def running(bundle: Bundle, models_dir: Path) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    settings = ServiceSettings(models_dir=models_dir, lanes=1, request_timeout_s=30, poll_interval_s=3600)
    async with running_app(settings) as app_and_client:
        yield app_and_client


def slug_in(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["type"]).removeprefix("urn:finial:problem:")


async def test_a_client_may_wait_for_less(client: httpx.AsyncClient, runtime: Runtime) -> None:
    with runtime.pool.lease(in_seconds(60)):
        response = await client.post("/predict", files=ONE_FILE, headers={HEADER: "20"})

    assert (response.status_code, slug_in(response)) == (504, "deadline-passed")
    assert "no lane was free within" in response.json()["detail"].lower()
    assert HEADER in response.json()["detail"]


async def test_a_client_in_no_hurry_is_answered(client: httpx.AsyncClient) -> None:
    assert (await client.post("/predict", files=ONE_FILE, headers={HEADER: "25000"})).json()["label"] == "red"


async def test_a_client_cannot_wait_for_more_than_the_service_lets_it(bundle: Bundle, models_dir: Path) -> None:
    settings = ServiceSettings(models_dir=models_dir, lanes=1, request_timeout_s=0.02)
    async with running_app(settings) as (app, client):
        with app.state.runtime.pool.lease(in_seconds(30)):
            response = await client.post("/predict", files=ONE_FILE, headers={HEADER: "999999999"})

    assert (response.status_code, slug_in(response)) == (504, "deadline-passed")


@pytest.mark.parametrize("value", ["0", "-5", "soon", "1.5", "nan", "", "9" * 30, pytest.param("9" * 5000, id="long")])
async def test_a_wrong_value_is_refused_and_named(value: str, client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", files=ONE_FILE, headers={HEADER: value})

    assert (response.status_code, slug_in(response)) == (400, "bad-parameter")
    assert HEADER.lower() in response.json()["detail"].lower()
    assert len(response.content) < 1000


async def slow_body(seconds: float) -> AsyncIterator[bytes]:
    await asyncio.sleep(seconds)
    yield picture(RED)


async def test_a_clients_time_runs_from_the_arrival_of_its_request(client: httpx.AsyncClient) -> None:
    """Its clock does so, too; nobody is there to read an answer that was computed later."""
    headers = {HEADER: "50", "Content-Type": "image/png"}

    response = await client.post("/predict", content=slow_body(0.1), headers=headers)

    assert (response.status_code, slug_in(response)) == (504, "deadline-passed")
    assert "before a lane was asked for" in response.json()["detail"], "the line was slow, not the lanes"


async def test_the_services_own_limit_leaves_out_a_slow_line(bundle: Bundle, models_dir: Path) -> None:
    """How long a body may take is another limit, --upload-timeout-s; a phone far from a mast is served as well."""
    settings = ServiceSettings(models_dir=models_dir, request_timeout_s=1.0)
    async with running_app(settings) as (_, client):
        response = await client.post("/predict", content=slow_body(1.1), headers={"Content-Type": "image/png"})

    assert response.json()["label"] == "red"


class UntilSession(FakeSession):
    """Runs until a moment has passed."""

    until = 0.0

    def run(self, images: NDArray[np.uint8], outputs: object) -> list[NDArray[np.float32]]:
        time.sleep(max(0.0, self.until - time.monotonic()))
        return super().run(images, outputs)  # type: ignore[arg-type]


async def test_several_pictures_of_one_request_share_its_deadline(client: httpx.AsyncClient, runtime: Runtime) -> None:
    """What was answered in time is not thrown away; the rest says why it was dropped, and is never run."""
    session = UntilSession()
    runtime.registry.put(fake_generation(session=session))
    session.until = time.monotonic() + 1.1

    response = await client.post("/predict", files=THREE_FILES, headers={HEADER: "1000"})

    first, *rest = response.json()["results"]
    assert (response.status_code, first["label"]) == (200, "green")
    assert [problem["status"] for problem in rest] == [504, 504]
    assert len(session.shapes) == 1
    stats = runtime.pool.stats()
    assert (stats.granted_total, stats.timed_out_total) == (1, 2)


async def test_several_pictures_of_which_none_was_in_time_are_refused_as_one(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    with runtime.pool.lease(in_seconds(60)):
        response = await client.post("/predict", files=THREE_FILES, headers={HEADER: "20"})

    assert (response.status_code, slug_in(response)) == (504, "deadline-passed")


async def test_the_header_is_described(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()

    for route in ("/predict", "/models/{name}/predict"):
        assert HEADER in [parameter["name"] for parameter in described["paths"][route]["post"]["parameters"]]
