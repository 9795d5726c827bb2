"""--device openvino, with the real build where FINIAL_OPENVINO_PYTHON names an environment that has it."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from shared.bundle import Bundle
from tests.service.pictures import BLUE, GREEN, RED, picture
from tests.service.running import ROOT, ServiceProcess, running_process
from tests.service.waiting import until

OPENVINO = "OpenVINOExecutionProvider"
WHERE = "FINIAL_OPENVINO_PYTHON"

TRAPS = """
import sys
import numpy as np
from pathlib import Path
from shared.errors import RunFailed
from shared.session import open_session
model = Path(sys.argv[1])
images = np.random.default_rng(0).integers(0, 256, (8, 1, 16, 16, 3), np.uint8)
cpu, openvino = open_session(model, provider="cpu"), open_session(model, provider="openvino", threads=1, runs=2)
assert (cpu.provider, openvino.provider) == ("CPUExecutionProvider", "OpenVINOExecutionProvider")
assert open_session(model, provider="auto").provider == "CPUExecutionProvider"
for image in images:
    assert np.allclose(*(each.run(image, ["probabilities"])[0] for each in (cpu, openvino)), rtol=0, atol=1e-5)
try:
    openvino.run(np.concatenate(images[:2]), ["probabilities"])
except RunFailed as error:
    print(error)
"""


@pytest.fixture(scope="module")
def openvino_python() -> str:
    """An interpreter with onnxruntime-openvino and what serving needs."""
    if given := os.environ.get(WHERE):
        return given
    pytest.skip(f"{WHERE} names no environment with requirements/core, serve and onnxruntime-openvino")


@pytest.fixture
def service(openvino_python: str, models_dir: Path, bundle: Bundle) -> Iterator[ServiceProcess]:
    """Without a word, the build that is installed decides."""
    with running_process(models_dir, python=openvino_python) as process:
        yield process


@pytest.mark.slow
def test_the_service_computes_on_openvino_and_says_so(service: ServiceProcess) -> None:
    with service.client() as client:
        until(lambda: client.get("/health/ready").status_code == httpx.codes.OK)
        ready, (model,) = client.get("/health/ready").json(), client.get("/models").json()["models"]
        metrics = client.get("/metrics").text

    assert (ready["device"]["policy"], ready["device"]["provider"]) == ("openvino", OPENVINO)
    assert (model["provider"], model["warnings"]) == (OPENVINO, [])
    assert f'finial_device_info{{policy="openvino",provider="{OPENVINO}",reason=""}} 1.0' in metrics


@pytest.mark.slow
def test_many_at_once_each_get_their_own_answer(service: ServiceProcess) -> None:
    """Narrow runs share one session of several streams; alone, a request has another one."""
    asked = [(RED, "red"), (GREEN, "green"), (BLUE, "blue")] * 20

    with service.client() as client, ThreadPoolExecutor(8) as callers:
        until(lambda: client.get("/health/ready").status_code == httpx.codes.OK)
        found = callers.map(
            lambda colour: client.post("/predict", files={"file": picture(colour)}).json(),
            *[[colour for colour, _ in asked]],
        )
        assert [answer["label"] for answer in found] == [label for _, label in asked]


@pytest.mark.slow
def test_its_session_answers_as_the_cpu_does_and_refuses_what_it_would_answer_with_nonsense(
    openvino_python: str, bundle: Bundle
) -> None:
    run = subprocess.run(
        [openvino_python, "-c", TRAPS, str(bundle.model_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
    assert "was opened for (1, 16, 16, 3) only" in run.stdout


def test_asked_for_and_not_installed_it_is_told_and_nothing_is_served(models_dir: Path, bundle: Bundle) -> None:
    with running_process(models_dir, "--device", "openvino") as service, service.client() as client:
        until(lambda: client.get("/health/ready").json()["device"])
        ready = client.get("/health/ready")
        assert client.get("/health/live").status_code == httpx.codes.OK

    assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert (ready.json()["device"]["provider"], ready.json()["device"]["reason"]) == (None, "provider-missing")
    assert "Install onnxruntime-openvino" in ready.json()["reason"]
