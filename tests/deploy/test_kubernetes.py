"""Manifests say of service and trainer what is so: options, ports, users, probes, exit codes, memory."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import ServiceSettings
from tests.deploy.manifests import (
    DOCKERFILES,
    KUBERNETES,
    ROOT,
    Manifest,
    containers,
    environment,
    environment_of_image,
    kustomizations,
    labels_of_pods,
    manifest,
    manifests,
    place,
    quantity,
    user_of_image,
)
from tests.service.bundles import publish_bundle
from tests.service.running import running_app
from trainer.settings import RollbackSettings, TrainSettings

MIB = 1024**2
BEYOND_GRACE_S = 15
"""By which the orchestrator's limit is above delay and grace (docs/operations.md, "Shutdown")."""
VERBS: dict[str, type[TrainSettings] | type[RollbackSettings]] = {"train": TrainSettings, "rollback": RollbackSettings}
WITH_PODS = [each for each in manifests() if each.pod is not None]
WHOLE = [each for each in WITH_PODS if not each.is_patch]
OF_SERVICE = [
    each for each in WITH_PODS if any(of["name"] in ("service", "kserve-container") for of in containers(each))
]
OF_TRAINER = [each for each in WITH_PODS if any(of["name"] == "trainer" for of in containers(each))]
WRITTEN = {
    "service": {"/tmp"},  # noqa: S108
    "kserve-container": {"/tmp"},  # noqa: S108
    "trainer": {"/tmp", "/models", "/cache"},  # noqa: S108
    "fill": {"/tmp", "/data", "/cache"},  # noqa: S108
}
"""Folders that a container writes to, by its name."""
CLUSTER_WIDE = ("enableServiceLinks", "automountServiceAccountToken", "terminationGracePeriodSeconds")
"""Fields of a pod that KServe takes from the InferenceService, not from the runtime."""


def where(each: Manifest) -> str:
    return each.where


def pod_of(each: Manifest) -> dict[str, Any]:
    """With what the InferenceService adds to the runtime's."""
    assert each.pod is not None
    if each.kind != "ServingRuntime":
        return each.pod
    predictor = manifest("kserve/inference-service.yaml").content["spec"]["predictor"]
    return each.pod | {name: predictor[name] for name in CLUSTER_WIDE}


def security_of(each: Manifest, container: dict[str, Any]) -> dict[str, Any]:
    """Of a container: what its pod says, and what itself says over it."""
    return {**pod_of(each).get("securityContext", {}), **container["securityContext"]}


def put_in_place(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: str = "pictures"
) -> None:
    """Make these the environment, with folders of this machine where they name folders of the container."""
    for name in list(os.environ):
        if name.startswith("FINIAL_"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        folder = tmp_path / value.removeprefix("/") if value.startswith("/") else None
        if folder is not None and not folder.suffix:
            folder.mkdir(parents=True, exist_ok=True)
        if name.startswith("FINIAL_"):
            monkeypatch.setenv(name, str(folder or value).replace("{{.Name}}", named))


@pytest.mark.parametrize("each", OF_SERVICE, ids=where)
def test_the_service_reads_its_environment(each: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that no option has would be passed over in silence."""
    options = {f"FINIAL_{name}".upper() for name in ServiceSettings.model_fields}
    for container in containers(each):
        variables = environment(container)
        assert {name for name in variables if name.startswith("FINIAL_")} <= options
        taken_away = {of["name"] for of in container.get("env", ()) if "value" not in of}
        assert taken_away <= environment(whole_container()).keys()
        put_in_place({"FINIAL_MODELS_DIR": "/models", "FINIAL_CACHE_DIR": "/cache"} | variables, tmp_path, monkeypatch)

        ServiceSettings.from_command_line(container.get("args", []), program="python -m service")


def whole_container() -> dict[str, Any]:
    (container,) = containers(manifest("service/deployment.yaml"))
    return container


@pytest.mark.parametrize("each", [each for each in OF_SERVICE if not each.is_patch], ids=where)
def test_ports_and_times_are_the_services(each: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = containers(each)
    put_in_place(environment(container), tmp_path, monkeypatch)
    settings = ServiceSettings.from_command_line(container.get("args", []), program="python -m service")

    assert (settings.host, settings.drain_delay_s) == ("0.0.0.0", 5.0)  # noqa: S104
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [("http", settings.port)]
    assert {probe["httpGet"]["port"] for probe in probes_of(container)} <= {"http", settings.port}
    longest_s = settings.drain_delay_s + settings.grace_s + BEYOND_GRACE_S
    assert pod_of(each)["terminationGracePeriodSeconds"] > longest_s
    ready = container["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < settings.drain_delay_s


def probes_of(container: dict[str, Any]) -> list[dict[str, Any]]:
    return [container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")]


@pytest.mark.anyio
@pytest.mark.parametrize("each", [each for each in OF_SERVICE if not each.is_patch], ids=where)
async def test_probes_ask_for_what_there_is(each: Manifest, models_dir: Path) -> None:
    """Liveness holds before there is a model, readiness does not: a service that waits for one is not restarted."""
    (container,) = containers(each)
    start, alive, ready = (probe["httpGet"]["path"] for probe in probes_of(container))
    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        statuses = [(await client.get(path)).status_code for path in (start, alive, ready)]

    assert statuses == [200, 200, 503]


@pytest.mark.anyio
@pytest.mark.parametrize("each", [each for each in OF_SERVICE if not each.is_patch], ids=where)
async def test_the_readiness_probe_holds_with_a_model(each: Manifest, models_dir: Path) -> None:
    (container,) = containers(each)
    publish_bundle(models_dir)
    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        answer = await client.get(container["readinessProbe"]["httpGet"]["path"])

    assert answer.status_code == 200


@pytest.mark.parametrize("each", OF_TRAINER, ids=where)
def test_the_trainer_reads_its_arguments(each: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for container in containers(each):
        put_in_place(environment(container), tmp_path, monkeypatch)
        verb, *rest = container["args"]

        settings = VERBS[verb].from_command_line(rest, program=f"python -m trainer {verb}")

        if isinstance(settings, TrainSettings):
            assert settings.not_worse and str(settings.data) == "/data"


def test_job_and_cronjob_run_the_same_pods() -> None:
    """They are two files because a CronJob has no other way to say what a Job is."""
    job = manifest("job/job.yaml").content["spec"]
    of_cronjob = manifest("training/cronjob.yaml").content["spec"]["jobTemplate"]["spec"]

    assert {name: value for name, value in job.items() if name != "ttlSecondsAfterFinished"} == of_cronjob


def test_exit_codes_that_mean_that_another_try_ends_alike_end_the_job() -> None:
    table = (ROOT / "docs" / "command-line.md").read_text("utf-8").partition("| Exit code |")[2].partition("\n\n")[0]
    codes = {
        int(cells[1]) for line in table.splitlines() if (cells := line.split("|"))[1:] and cells[1].strip().isdigit()
    }
    rules = manifest("job/job.yaml").content["spec"]["podFailurePolicy"]["rules"]

    assert codes == {0, 2, 3, 4, 130}
    assert rules[0]["action"] == "FailJob"
    assert set(rules[0]["onExitCodes"]["values"]) == codes - {0, 130}


@pytest.mark.parametrize("each", WHOLE, ids=where)
def test_who_runs_is_the_images_user_and_may_nothing(each: Manifest) -> None:
    """What the profile `restricted` of Pod Security asks for, and a root that is read only."""
    pod = pod_of(each)
    for container in containers(each):
        security = security_of(each, container)
        assert (security["runAsUser"], security["runAsGroup"]) == user_of_image(container["image"])
        assert security["runAsNonRoot"] is security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False


def test_compose_runs_as_the_same_user() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]

    assert {services[name]["user"] for name in ("service", "trainer")} == {"${FINIAL_UID:-1000}:0"}
    assert {user_of_image(image) for image in DOCKERFILES} == {(1000, 0)}


@pytest.mark.parametrize("each", WHOLE, ids=where)
def test_no_variables_of_services_come_in(
    each: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Service named finial would set FINIAL_PORT=tcp://..., and that is an option of ours."""
    assert pod_of(each)["enableServiceLinks"] is False
    put_in_place(environment_of_image("finial-service"), tmp_path, monkeypatch)
    monkeypatch.setenv("FINIAL_PORT", "tcp://10.0.0.1:80")

    with pytest.raises(SystemExit):
        ServiceSettings.from_command_line([], program="python -m service")

    assert "tcp://" in capsys.readouterr().err


@pytest.mark.parametrize("each", WHOLE, ids=where)
def test_what_is_written_to_is_a_volume(each: Manifest) -> None:
    """The root is read only, so each folder that is written to is mounted; the service writes to /tmp alone."""
    pod = pod_of(each)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in containers(each):
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert {mount["name"] for mount in mounts.values()} == volumes.keys()
        written = {path for path, mount in mounts.items() if not mount.get("readOnly")}
        assert written == WRITTEN[container["name"]]
        assert volumes["tmp"]["emptyDir"]["medium"] == "Memory" and volumes["tmp"]["emptyDir"]["sizeLimit"]


def test_the_memory_is_enough_for_the_worst_that_is_accepted() -> None:
    """Every bound of an upload is met, in the middle of a swap; the page on scaling adds up the same."""
    limits, requests = (whole_container()["resources"][name] for name in ("limits", "requests"))
    page = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    defaults = ServiceSettings.model_construct()
    limit = quantity(limits["memory"])

    most = memory_for(limits["cpu"], uploads=defaults.max_uploads, pixels=defaults.max_pixels)
    less = memory_for(limits["cpu"], uploads=64 * MIB, pixels=12_000_000)

    assert most <= limit
    assert f"{most / MIB:,.0f} of {limit / MIB:,.0f} MiB" in page
    assert f"`FINIAL_MAX_PIXELS=12000000` and `FINIAL_MAX_UPLOADS=64MiB` make it {less / MIB:.0f} MiB" in page
    assert limits == requests, "else lanes are promised that the node may not have"


def memory_for(cores: str, *, uploads: int, pixels: int) -> float:
    """With a MobileNetV2, as docs/operations.md has it under "Sizing"; a picture that is turned is there twice."""
    (tmp,) = (of["emptyDir"] for of in pod_of(manifest("service/deployment.yaml"))["volumes"] if "emptyDir" in of)
    with_a_model, swapping = 170 * MIB, 60 * MIB
    return with_a_model + swapping + uploads + 2 * quantity(cores) * pixels * 3 + quantity(tmp["sizeLimit"])


def test_both_ways_to_serve_have_the_same_resources() -> None:
    (runtime,) = containers(manifest("kserve/runtime.yaml"))

    assert runtime["resources"] == whole_container()["resources"]


def test_objects_find_each_other() -> None:
    """Labels, ports and names: a selector that finds nobody is valid, and does nothing."""
    deployment = manifest("service/deployment.yaml").content
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    service = manifest("service/service.yaml").content["spec"]
    network = manifest("service/network.yaml").content["spec"]
    port_names = {port["name"] for port in whole_container()["ports"]}

    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["selector"]
    assert network["podSelector"]["matchLabels"] == labels
    assert manifest("service/disruption.yaml").content["spec"]["selector"]["matchLabels"] == labels
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"][0]
    assert spread["labelSelector"]["matchLabels"] == labels
    assert {service["ports"][0]["targetPort"], network["ingress"][0]["ports"][0]["port"]} <= port_names
    trainers = manifest("job/job.yaml").content["spec"]["template"]["metadata"]["labels"]
    assert manifest("training/network.yaml").content["spec"]["podSelector"]["matchLabels"] == trainers


def test_who_is_chosen_by_a_selector_is_of_one_kind() -> None:
    """Two workloads with the same labels are one to a Service, a budget, an autoscaler: it would have both's pods."""
    workloads = [each for each in WHOLE if each.kind not in ("Pod", "Job")]  # these are the CronJob's, for a while
    labels = [labels_of_pods(each) for each in workloads]

    assert {each.kind for each in workloads} == {"Deployment", "ServingRuntime", "CronJob"}
    assert all(labels.count(each) == 1 for each in labels)
    assert {each["app.kubernetes.io/component"] for each in labels} == {"service", "predictor", "trainer"}


def test_every_claim_that_is_used_is_made() -> None:
    made = {each.name for each in manifests() if each.kind == "PersistentVolumeClaim" and not each.is_patch}
    volumes = [volume for each in WHOLE for volume in pod_of(each)["volumes"]]
    used = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    uri = manifest("kserve/inference-service.yaml").content["spec"]["predictor"]["model"]["storageUri"]

    assert used == made == {"finial-models", "finial-data", "finial-cache"}
    assert uri == "pvc://finial-models"


def test_images_and_namespace_stand_in_one_place() -> None:
    """One file to change: no other one names a registry, a tag or a namespace."""
    images = {image["name"]: image for image in place()["images"]}

    assert images.keys() == DOCKERFILES.keys()
    assert {of["image"] for each in WITH_PODS for of in containers(each) if "image" in of} == images.keys()
    assert all("example" in image["newName"] for image in images.values()), "a placeholder, nobody's registry"
    elsewhere = [of for folder, of in kustomizations().items() if folder != KUBERNETES / "components" / "place"]
    assert all("images" not in of and "namespace" not in of for of in elsewhere)
    assert all("namespace" not in each.content["metadata"] for each in manifests())
    namespaces = [each.content for each in manifests() if each.kind == "Namespace"]
    assert {each["metadata"]["name"] for each in namespaces} == {place()["namespace"]}
    enforced = {each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for each in namespaces}
    assert enforced == {"restricted"}
