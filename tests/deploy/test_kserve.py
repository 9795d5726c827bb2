"""What KServe mounts at /mnt/models is what the runtime serves, under the name that the protocol asks for."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from service.settings import ServiceSettings
from tests.deploy.manifests import containers, environment, manifest
from tests.deploy.test_kubernetes import put_in_place
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.running import running_app

NAME = manifest("kserve/inference-service.yaml").name
RAW_PICTURE = {"Inference-Header-Content-Length": "0"}


@pytest.fixture
async def asked(models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the runtime, over a copy of a models folder: two models, one of them published twice."""
    for name in ("other", NAME, NAME):
        publish_bundle(models_dir, name)
    mounted = tmp_path / "mnt" / "models"
    shutil.copytree(models_dir, mounted)  # as the storage initializer copies what lies below an address
    (container,) = containers(manifest("kserve/runtime.yaml"))
    put_in_place(environment(container), tmp_path, monkeypatch, named=NAME)
    settings = ServiceSettings.from_command_line([], program="python -m service")
    async with running_app(settings) as (_, client):
        yield client


@pytest.mark.anyio
async def test_the_model_with_the_name_of_the_inference_service_is_served(asked: httpx.AsyncClient) -> None:
    answer = await asked.post(f"/v2/models/{NAME}/infer", content=picture(RED), headers=RAW_PICTURE)

    assert answer.status_code == 200
    assert (await asked.get(f"/v2/models/{NAME}/ready")).status_code == 200
    assert (await asked.get("/v2/health/ready")).status_code == 200


@pytest.mark.anyio
async def test_no_other_model_of_the_folder_is(asked: httpx.AsyncClient) -> None:
    """Each takes memory, and the limits are those of one."""
    assert (await asked.get("/v2/models/other/ready")).status_code == 404


@pytest.mark.anyio
async def test_a_storage_uri_that_goes_down_into_the_model_is_not_ready(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pvc://finial-models/pictures` mounts versions where models should be: it must not look as if all were well."""
    publish_bundle(models_dir, NAME)
    mounted = tmp_path / "mnt" / "models"
    shutil.copytree(models_dir / NAME, mounted)
    (container,) = containers(manifest("kserve/runtime.yaml"))
    put_in_place(environment(container), tmp_path, monkeypatch, named=NAME)
    settings = ServiceSettings.from_command_line([], program="python -m service")
    async with running_app(settings) as (_, client):
        assert (await client.get("/v2/health/ready")).status_code == 503


def test_runtime_and_inference_service_mean_each_other() -> None:
    runtime = manifest("kserve/runtime.yaml")
    model = manifest("kserve/inference-service.yaml").content["spec"]["predictor"]["model"]
    (served,) = runtime.content["spec"]["supportedModelFormats"]

    assert model["runtime"] == runtime.name
    assert model["modelFormat"] == {"name": served["name"], "version": served["version"]}
    assert model["protocolVersion"] in runtime.content["spec"]["protocolVersions"]
