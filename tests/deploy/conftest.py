"""What a real service tells Prometheus; Prometheus' own programs and kubectl, where they are."""

import os
import shutil
from pathlib import Path

import pytest

from service.settings import ServiceSettings
from service.worker_metrics import join_workers
from tests.deploy.told import REFERENCE, Told
from tests.service.bundles import colour_model, publish_bundle
from tests.service.conftest import anyio_backend, models_dir
from tests.service.pictures import RED, picture
from tests.service.running import running_app

__all__ = ["anyio_backend", "models_dir"]

FOLDER = "FINIAL_PROMETHEUS"
REQUIRE_KUBECTL = "FINIAL_REQUIRE_KUBECTL"


@pytest.fixture
async def told(models_dir: Path) -> Told:
    """The metrics of a service that has met a bit of everything, as one of several workers tells them."""
    publish_bundle(
        models_dir,
        model=colour_model(novelty=0.3),
        outputs=("probabilities", "logits", "features", "novelty"),
        thresholds={"unfamiliar": 0.99},
        reference=REFERENCE,
    )
    settings = ServiceSettings(models_dir=models_dir, micro_batching="on", max_upload=2048)
    async with running_app(settings) as (_, client):
        for _ in range(250):
            await client.post("/predict", files={"file": picture(RED)})
        await client.post("/predict", content=bytes(3000), headers={"Content-Type": "image/png"})
        text = (await client.get("/metrics")).text
    return Told(join_workers({"0": text.encode(), "1": None}).decode())


def program(name: str) -> str:
    """Where a program of Prometheus is; it is required where FINIAL_PROMETHEUS names a folder of them."""
    folder = os.environ.get(FOLDER)
    found = shutil.which(name, path=folder) if folder else shutil.which(name)
    if found is None and folder:
        pytest.fail(f"{FOLDER} is {folder!r}, which has no {name}")
    if found is None:
        pytest.skip(f"needs {name}, of Debian's package prometheus; {FOLDER} may name the folder that it is in")
    return found


@pytest.fixture
def promtool() -> str:
    return program("promtool")


@pytest.fixture
def prometheus() -> str:
    return program("prometheus")


@pytest.fixture(scope="session")
def kubectl() -> str:
    """Builds kustomizations; it is required where FINIAL_REQUIRE_KUBECTL is 1."""
    found = shutil.which("kubectl")
    if found is None and os.environ.get(REQUIRE_KUBECTL) == "1":
        pytest.fail(f"no kubectl, and {REQUIRE_KUBECTL}=1")
    if found is None:
        pytest.skip("needs kubectl, which builds kustomizations without a cluster")
    return found
