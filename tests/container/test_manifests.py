"""The containers, run as the manifests say: pictures, training, service with keys, its end, KServe's runtime."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.container.engine import Project, run
from tests.container.pods import Pod, run_to_its_end, running
from tests.container.test_containers import wait_until
from tests.deploy.manifests import containers, manifest, quantity

pytestmark = pytest.mark.container

CLAIMS, SECRET = ("finial-models", "finial-data", "finial-cache"), "finial-keys"
A_DISK = "chown 0:0 /volume && chmod 2775 /volume && mkdir -m 2770 /volume/lost+found"
"""Makes a volume what the kubelet makes of a new ext4 disk for a pod with `fsGroup: 0`."""
DEPLOYMENT, JOB = manifest("service/deployment.yaml"), manifest("job/job.yaml")
RUNTIME, INFERENCE_SERVICE = manifest("kserve/runtime.yaml"), manifest("kserve/inference-service.yaml")
(PORT,) = (port["containerPort"] for port in containers(DEPLOYMENT)[0]["ports"])


@pytest.fixture(scope="module")
def volumes(project: Project) -> Iterator[Mapping[str, str]]:
    """One for each claim and Secret of the manifests, without a file; the engine would give them the image's owner."""
    names = {claim: f"{project.name}-{claim}" for claim in (*CLAIMS, SECRET)}
    for name in names.values():
        run("docker", "volume", "create", name).or_fail()
    for claim in CLAIMS:
        as_root = ("--user", "0:0", "--volume", f"{names[claim]}:/volume", "--entrypoint", "sh")
        run("docker", "run", "--rm", *as_root, project.image("service"), "-c", A_DISK).or_fail()
    yield names
    run("docker", "volume", "rm", "--force", *names.values())


@pytest.fixture(scope="module")
def filled(project: Project, volumes: Mapping[str, str]) -> Mapping[str, str]:
    """With pictures, drawn in the pod that is there to fill the volume."""
    with running(manifest("overlays/fill/pod.yaml"), project.image("trainer"), sources=volumes) as pod:
        pod.exec("python", "-m", "trainer", "sample", "/data", "--per-class", "60").or_fail()
    return volumes


@pytest.fixture(scope="module")
def trained(project: Project, filled: Mapping[str, str]) -> dict[str, Any]:
    """What the Job's first pod printed."""
    printed = run_to_its_end(JOB, project.image("trainer"), sources=filled).or_fail()
    described: dict[str, Any] = json.loads(printed)
    return described


@pytest.fixture(scope="module")
def key(project: Project, volumes: Mapping[str, str]) -> str:
    """Of a client; the file is as a Secret's is: root's, and readable for its group 0 alone."""
    make = "python -m service.keys new --api-keys /keys/keys.toml --name inspector && chmod 440 /keys/keys.toml"
    mount = f"{volumes['finial-keys']}:/keys"
    entry = ("--user", "0:0", "--volume", mount, "--entrypoint", "sh", project.image("service"))
    return run("docker", "run", "--rm", *entry, "-c", make).or_fail().split()[-1]


@pytest.fixture(scope="module")
def picture(project: Project, filled: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One of those that were learned from."""
    folder = tmp_path_factory.mktemp("picture")
    with running(manifest("overlays/fill/pod.yaml"), project.image("trainer"), sources=filled) as pod:
        name = pod.exec("sh", "-c", "ls /data/cracked/* | head -1").or_fail().strip()
        run("docker", "cp", f"{pod.container}:{name}", str(folder / "one")).or_fail()
    return Path(folder / "one").read_bytes()


@pytest.fixture(scope="module")
def served(project: Project, trained: dict[str, Any], key: str, volumes: Mapping[str, str]) -> Iterator[Pod]:
    """A replica, ready."""
    with running(DEPLOYMENT, project.image("service"), sources=volumes) as pod:
        with asking(pod) as client:
            wait_until(lambda: status(client, "/health/ready") == httpx.codes.OK)
        yield pod


def asking(pod: Pod, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=pod.url(PORT), headers=headers, trust_env=False, timeout=30)


def status(client: httpx.Client, path: str) -> int | None:
    """None while nobody listens."""
    try:
        return client.get(path).status_code
    except httpx.TransportError:
        return None


def test_the_job_publishes_a_first_model(trained: dict[str, Any]) -> None:
    """Also with `--not-worse`, which has nothing yet to compare with."""
    assert trained["bundle"].startswith("/models/pictures/")
    assert trained["featurized"] == 120


def test_the_job_of_the_next_night_featurises_nothing_again(
    project: Project, trained: dict[str, Any], filled: Mapping[str, str]
) -> None:
    """Nothing has changed, so nothing is computed and nothing new is published."""
    again = json.loads(run_to_its_end(JOB, project.image("trainer"), sources=filled).or_fail())

    assert (again["featurized"], again["version"]) == (0, trained["version"])


def test_the_probes_hold(served: Pod) -> None:
    (container,) = containers(DEPLOYMENT)
    with asking(served) as client:
        paths = [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")]
        assert [status(client, path) for path in paths] == [httpx.codes.OK] * 3


def test_who_has_a_key_is_answered_and_nobody_else(
    served: Pod, key: str, picture: bytes, trained: dict[str, Any]
) -> None:
    with asking(served) as client:
        without = client.post("/predict", files={"file": picture})
        with_key = client.post("/predict", files={"file": picture}, headers={"X-Api-Key": key})

    assert without.status_code == httpx.codes.UNAUTHORIZED
    assert with_key.json()["version"] == trained["version"]


def test_lanes_are_as_many_as_the_limit_has_cores(served: Pod) -> None:
    """Not as the machine has."""
    (container,) = containers(DEPLOYMENT)
    with asking(served) as client:
        told = client.get("/metrics").text
    cores = quantity(container["resources"]["limits"]["cpu"])

    assert f"finial_lanes {min(cores, usable_cores(served)):.1f}\n" in told


def usable_cores(pod: Pod) -> int:
    return int(pod.exec("python", "-c", "import os; print(len(os.sched_getaffinity(0)))").or_fail())


def test_only_tmp_can_be_written_to(served: Pod) -> None:
    written = [served.exec("touch", f"{folder}/x").exit_code for folder in ("/finial", "/models", "/keys", "/tmp")]  # noqa: S108

    assert written == [1, 1, 1, 0]
    assert served.exec("id", "-u").or_fail().strip() == "1000"


def test_on_its_end_it_is_not_ready_at_once_and_answers_on(served: Pod, key: str, picture: bytes) -> None:
    """Last of the tests that need it. The drain delay is what gives balancers time to notice."""
    with asking(served, **{"X-Api-Key": key}) as client:
        served.terminate()
        wait_until(lambda: status(client, "/health/ready") == httpx.codes.SERVICE_UNAVAILABLE)
        answer = client.post("/predict", files={"file": picture})

    assert answer.status_code == httpx.codes.OK
    assert served.wait() == 0
    assert served.inspect(".State.OOMKilled") == "false"


def test_the_runtime_of_kserve_serves_the_model_of_its_inference_service(
    project: Project, trained: dict[str, Any], volumes: Mapping[str, str], picture: bytes
) -> None:
    """`pvc://finial-models` is mounted at /mnt/models, read-only, by KServe."""
    name = INFERENCE_SERVICE.name
    mounted = (f"{volumes['finial-models']}:/mnt/models:ro",)
    image = project.image("service")
    with running(RUNTIME, image, sources=volumes, name=name, mounts=mounted) as pod, asking(pod) as client:
        wait_until(lambda: status(client, "/v2/health/ready") == httpx.codes.OK)
        infer = client.post(
            f"/v2/models/{name}/infer", content=picture, headers={"Inference-Header-Content-Length": "0"}
        )
        assert infer.status_code == httpx.codes.OK
        assert {each["name"]: each["shape"] for each in infer.json()["outputs"]}["probabilities"] == [1, 2]
        assert client.get(f"/v2/models/{name}").json()["versions"] == [trained["version"]]
        pod.terminate()
        assert pod.wait() == 0
