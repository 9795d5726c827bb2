"""What /metrics says is what happened, to the unit."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from service.generation import Generation
from service.micro_batch import MicroBatcher
from service.settings import ServiceSettings
from shared.bundle import Bundle
from tests.service.bundles import publish_bundle
from tests.service.fakes import fake_generation
from tests.service.gated_session import GatedSession
from tests.service.pictures import GREEN, RED, picture
from tests.service.running import running_app
from tests.service.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def scraped(client: httpx.AsyncClient) -> Mapping[str, float]:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
    assert len(dict(lines)) == len(lines)  # no time series twice
    return {name: float(value) for name, value in lines}


async def test_requests_are_counted_by_route_and_status_as_the_client_saw_them(
    models_dir: Path, bundle: Bundle
) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir, max_upload=2048)) as (_, client):
        for _ in range(3):
            await client.post("/predict", files={"file": picture(RED)})
        await client.post("/models/nobody/predict", files={"file": picture(RED)})
        await client.post("/models/colours/predict", content=b"no picture", headers={"Content-Type": "image/png"})
        await client.post("/predict", content=bytes(3000), headers={"Content-Type": "image/png"})
        await client.get("/no/such/route")
        await client.get("/health/ready")
        await client.put("/predict")
        found = await scraped(client)
        again = await scraped(client)

    requests = {name: value for name, value in found.items() if value and name.startswith("finial_requests_total")}
    assert requests == {
        'finial_requests_total{route="/predict",status="200"}': 3,
        'finial_requests_total{route="/predict",status="413"}': 1,
        'finial_requests_total{route="/predict",status="405"}': 1,
        'finial_requests_total{route="/models/{name}/predict",status="404"}': 1,
        'finial_requests_total{route="/models/{name}/predict",status="415"}': 1,
        'finial_requests_total{route="/health/ready",status="200"}': 1,
        'finial_requests_total{route="other",status="404"}': 1,
    }
    assert found['finial_refused_total{reason="upload-too-large"}'] == 1
    assert found["finial_in_flight"] == 1  # the scrape itself
    assert again['finial_requests_total{route="/metrics",status="200"}'] == 1


async def test_what_is_served_is_told_and_a_swap_is_seen(models_dir: Path, bundle: Bundle) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=0.05)) as (app, client):
        before = await scraped(client)
        newer = publish_bundle(models_dir, labels=("red", "green"))
        registry = app.state.runtime.registry
        until(lambda: registry.require("colours").version == newer.version)
        after = await scraped(client)

    assert served(before) == {("float32", "CPUExecutionProvider", bundle.version)}
    assert served(after) == {("float32", "CPUExecutionProvider", newer.version)}
    assert before['finial_reloads_total{model="colours",outcome="loaded"}'] == 1
    assert before['finial_reloads_total{model="colours",outcome="altered"}'] == 0  # the first one is a rise
    assert before['finial_load_failing{model="colours"}'] == 0
    assert after['finial_reloads_total{model="colours",outcome="loaded"}'] == 2
    assert before['finial_device_info{policy="cpu",provider="CPUExecutionProvider",reason=""}'] == 1
    assert before["finial_ready"] == 1
    assert 0 <= before['finial_look_age_seconds{model="colours"}'] < 30
    assert 0 <= before["finial_listing_age_seconds"] < 30
    assert before["process_resident_memory_bytes"] > 1e6


async def test_lanes_and_leases_add_up(models_dir: Path, bundle: Bundle) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir, lanes=2)) as (_, client):
        for _ in range(4):
            await client.post("/predict", files={"file": picture(RED)})
        found = await scraped(client)

    assert (found["finial_lanes"], found["finial_lanes_leased"]) == (2, 0)
    assert found['finial_leases_total{outcome="granted"}'] == 4
    assert found['finial_runs_total{lane="wide"}'] + found['finial_runs_total{lane="narrow"}'] == 4


async def test_names_that_clients_make_up_are_in_no_label(models_dir: Path, bundle: Bundle) -> None:
    """Else whoever asks for a million models makes a million time series."""
    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        await scraped(client)
        lines = len(await scraped(client))
        await client.post("/models/first/predict", content=b"x", headers={"Content-Type": "image/png"})
        once = len(await scraped(client))
        for number in range(50):
            await client.post(f"/models/made-up-{number}/predict", content=b"x", headers={"Content-Type": "image/png"})
            await client.get(f"/made/up/{number}")
            await client.request("MADEUP", "/predict")
        many = await scraped(client)

    assert not re.search("made.up", str(many))
    assert len(many) <= once + 2 * 20  # the routes `other` and /predict, each with its histogram
    assert once > lines


async def test_pictures_run_together_are_counted(models_dir: Path, bundle: Bundle) -> None:
    settings = ServiceSettings(models_dir=models_dir, micro_batching="on")
    async with running_app(settings) as (_, client):
        for _ in range(3):
            await client.post("/predict", files={"file": picture(RED)})
        found = await scraped(client)

    assert found['finial_batched_pictures_total{model="colours"}'] == 3
    assert found['finial_batches_total{model="colours"}'] == 3


class Gated(GatedSession):
    """Held as its parent; sure that everything is the second of three labels."""

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        count = len(super().run(images, outputs)[0])
        return [np.tile(np.array([0.2, 0.7, 0.1], np.float32), (count, 1))]


OF_BATCHES = ("batched_pictures_total", "batch_failed_total", "batch_dropped_total", "batch_waiting", "batch_running")


def counted(found: Mapping[str, float]) -> dict[str, float]:
    return {name: found[f'finial_{name}{{model="colours"}}'] for name in OF_BATCHES}


async def test_every_lane_that_was_granted_ends_in_one_count(models_dir: Path, bundle: Bundle) -> None:
    """Also of pictures that fail, come late to a device that hangs, or cannot be decoded: nothing vanishes."""
    session = Gated(poisoned={256 * GREEN[0] + GREEN[1]})
    batcher = MicroBatcher(session, max_batch=1)  # type: ignore[arg-type]
    one, green = {"file": picture(RED, kind="PNG")}, {"file": picture(GREEN, kind="PNG")}
    async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=3600)) as (app, client):
        registry = app.state.runtime.registry
        registry.put(Generation("colours", bundle, batcher))
        registry.put(fake_generation("cats"))
        session.let_go(2)  # and hold the others
        statuses = [
            (await client.post(f"/models/{name}/predict", files=files)).status_code
            for name, files in [
                ("cats", one),
                ("colours", one),
                ("colours", green),
                ("colours", {"file": b"no picture"}),
            ]
        ]
        for _ in range(2):
            late = await client.post("/models/colours/predict", files=one, headers={"X-Request-Timeout-Ms": "300"})
            statuses.append(late.status_code)
        hanging = await scraped(client)
        session.let_go(1000)
        until(lambda: batcher.stats().pictures == 2)
        found = await scraped(client)

    assert statuses == [200, 200, 500, 415, 504, 504]
    assert counted(hanging) == dict(zip(OF_BATCHES, (1, 1, 1, 0, 1), strict=True))
    assert hanging['finial_batch_run_seconds{model="colours"}'] > 0.3
    assert counted(found) == dict(zip(OF_BATCHES, (2, 1, 1, 0, 0), strict=True))
    assert found['finial_batch_run_seconds{model="colours"}'] == 0
    runs = found['finial_runs_total{lane="wide"}'] + found['finial_runs_total{lane="narrow"}']
    undecodable = statuses.count(415)
    assert found['finial_leases_total{outcome="granted"}'] == 6
    assert runs + found["finial_leases_expired_total"] + sum(counted(found).values()) + undecodable == 6


def served(found: Mapping[str, float]) -> set[tuple[str, ...]]:
    """(precision, provider, version) of the model `colours`."""
    pattern = r'finial_generation_info{model="colours",precision="(.*)",provider="(.*)",version="(.*)"}'
    matches = [re.fullmatch(pattern, name) for name in found]
    return {match.groups() for match in matches if match}


async def test_drift_is_told_with_the_reason_where_there_is_none(models_dir: Path, bundle: Bundle) -> None:
    """A bundle of an earlier trainer has nothing to compare with; what a new version says is compared anew."""
    async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=0.05)) as (app, client):
        await client.post("/predict", files={"file": picture(RED)})
        old = (await client.get("/models/colours")).json()["drift"]
        without = await scraped(client)
        reference = {"pictures": 300, "groups": 300, "effective": 300, "counts": (100, 100, 100)}
        newer = publish_bundle(models_dir, reference=reference)
        until(lambda: app.state.runtime.registry.require("colours").version == newer.version)
        for _ in range(200):
            await client.post("/predict", files={"file": picture(RED)})
        new = (await client.get("/models/colours")).json()["drift"]
        found = await scraped(client)

    assert old["pictures"] == 1 and "no reference" in old["label_reason"] and old["label"] is None
    assert not [name for name in without if name.startswith("finial_drift{")]
    assert new["pictures"] == 200 and new["label_reason"] is None and 0.4 < new["label"] < 2 / 3
    assert new["novelty"] is None and "no novelty" in new["novelty_reason"]
    assert found['finial_drift{model="colours",signal="label"}'] == new["label"]
    versions = {
        version: f'{{label="red",model="colours",version="{version}"}}' for version in (bundle.version, newer.version)
    }
    assert [found[f"finial_predictions_total{of}"] for of in versions.values()] == [1, 200]


async def test_answers_of_a_version_that_nobody_saw_served_are_told(models_dir: Path, bundle: Bundle) -> None:
    """Swapped in and out between two scrapes."""
    async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=0.05)) as (app, client):
        await scraped(client)
        versions = [publish_bundle(models_dir, labels=("rot", "gruen", "blau")).version]
        until(lambda: app.state.runtime.registry.require("colours").version == versions[-1])
        for _ in range(3):
            await client.post("/predict", files={"file": picture(RED)})
        versions.append(publish_bundle(models_dir).version)
        until(lambda: app.state.runtime.registry.require("colours").version == versions[-1])
        found = await scraped(client)

    assert found[f'finial_predictions_total{{label="rot",model="colours",version="{versions[0]}"}}'] == 3
