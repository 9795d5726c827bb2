"""--device, with the real builds of ONNX Runtime, on this machine without a GPU."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import httpx
import pytest

from shared.bundle import Bundle
from tests.service.bundles import publish_bundle
from tests.service.pictures import GREEN, picture
from tests.service.running import ROOT, running_process
from tests.service.waiting import until

REQUIREMENTS = ROOT / "requirements"
BUILD_S = 300


@pytest.fixture(scope="module")
def gpu_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with onnxruntime-gpu, but without CUDA's libraries (these are 2 GB more).

    That of FINIAL_GPU_PYTHON, or of an environment made for these tests: 15 s and 0.5 GB from the package registry,
    which a machine that runs all tests reaches anyway, to install what they need.
    """
    if given := os.environ.get("FINIAL_GPU_PYTHON"):
        return given
    folder = tmp_path_factory.mktemp("gpu")
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    files = [f"-r{REQUIREMENTS / name}.txt" for name in ("core", "serve")]
    command = [python, "-m", "pip", "install", "-q", *files, "onnxruntime-gpu", f"-c{REQUIREMENTS / 'tested.txt'}"]
    subprocess.run(command, check=True, timeout=BUILD_S)
    return python


@pytest.mark.slow
def test_a_required_gpu_that_is_not_there_is_told_and_nothing_is_served(
    gpu_python: str, models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    """onnxruntime-gpu itself goes on with the CPU, without an error."""
    log = tmp_path / "log"
    with running_process(models_dir, "--device", "require-gpu", python=gpu_python, log=log) as service:
        with service.client() as client:
            until(lambda: client.get("/models").json()["models"])
            ready, models = client.get("/health/ready"), client.get("/models").json()
            refused = client.post("/models/colours/predict", files={"file": picture(GREEN)})
            assert client.get("/health/live").status_code == httpx.codes.OK
            metrics = client.get("/metrics").text
        assert service.stop() == 0

    assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert ready.json()["device"]["provider"] is None
    assert ready.json()["device"]["reason"] == "library-not-loadable"
    for text in (
        ready.json()["reason"],
        ready.json()["device"]["detail"],
        models["models"][0]["last_reload_error"]["error"],
    ):
        assert "cannot open shared object file" in text
        assert "Install the CUDA and cuDNN libraries" in text
    assert models["models"][0]["ready"] is False
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:finial:problem:model-not-loaded")
    assert 'finial_device_info{policy="require-gpu",provider="none",reason="library-not-loadable"} 1.0' in metrics
    assert "no GPU, serving nothing" in log.read_text("utf-8")


@pytest.mark.slow
def test_a_preferred_gpu_that_is_not_there_is_told_and_the_cpu_serves(
    gpu_python: str, models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    """Also unasked: who installs the CUDA build would like a GPU."""
    log = tmp_path / "log"
    with running_process(models_dir, python=gpu_python, log=log) as service:
        service.wait_until_ready()
        with service.client() as client:
            ready, models = client.get("/health/ready").json(), client.get("/models").json()
            answer = client.post("/predict", files={"file": picture(GREEN)}).json()
        assert service.stop() == 0

    expected = {"policy": "prefer-gpu", "provider": "CPUExecutionProvider", "reason": "library-not-loadable"}
    for device in (ready["device"], models["device"]):
        assert expected.items() <= device.items()
    assert models["models"][0]["provider"] == "CPUExecutionProvider"
    assert answer["label"] == "green"
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    (told,) = [event for event in events if event["event"] == "no GPU, computing on the CPU"]
    assert told["reason"] == "library-not-loadable"


def test_the_build_for_cpus_says_that_it_has_no_gpu(models_dir: Path) -> None:
    publish_bundle(models_dir)
    with running_process(models_dir, "--device", "require-gpu") as service, service.client() as client:
        until(lambda: client.get("/health/ready").json().get("device"))
        ready = client.get("/health/ready")

    assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert ready.json()["device"]["reason"] == "provider-missing"
    assert ready.json()["reason"].startswith("--device require-gpu: ")


def test_both_builds_at_once_are_refused_at_the_start(tmp_path: Path) -> None:
    """Which of them would be imported is chance."""
    for name in ("onnxruntime", "onnxruntime-gpu"):
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    run = subprocess.run(
        [sys.executable, "-m", "service", "--models-dir", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 2
    assert "found onnxruntime and onnxruntime-gpu, expected exactly one" in run.stderr
