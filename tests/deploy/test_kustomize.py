"""Kustomize builds what the docs apply, and what it builds is whole.

`kubectl` has it inside; without one only the files are looked at.
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import KUBERNETES, ROOT, Manifest, containers, kustomizations, place
from tests.deploy.schemas import CUSTOM, RELEASES, complaints

REQUIRE = "FINIAL_REQUIRE_KUBECTL"
BUILT = ("overlays/cluster", "overlays/trial", "overlays/train-now", "overlays/rollback", "overlays/fill", "kserve")
COMPONENTS = ("open", "address", "autoscaling", "autoscaling-keda")
PAGES = (ROOT / "docs" / "kubernetes.md", ROOT / "docs" / "scaling.md", ROOT / "deploy" / "README.md")


@pytest.fixture(scope="module")
def kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None and os.environ.get(REQUIRE) == "1":
        pytest.fail(f"no kubectl, and {REQUIRE}=1")
    if found is None:
        pytest.skip("needs kubectl, which builds kustomizations without a cluster")
    return found


def build(kubectl: str, folder: Path) -> dict[str, Manifest]:
    """What is applied, by kind and name."""
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [Manifest(folder.name, content, False) for content in yaml.safe_load_all(done.stdout)]
    return {f"{each.kind} {each.name}": each for each in found}


def service_with(component: str, folder: Path) -> Path:
    """A kustomization as a user writes one: the service, and one component."""
    above = os.path.relpath(KUBERNETES, folder)
    parts = [f"{above}/components/{component}", f"{above}/components/place"]
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": [f"{above}/service"],
                "components": parts,
            }
        )
    )
    return folder


def assert_whole(built: dict[str, Manifest]) -> None:
    for where, each in built.items():
        if each.kind not in CUSTOM:
            assert complaints(each.content, RELEASES[-1]) == [], where
        if each.kind != "Namespace":
            assert each.content["metadata"]["namespace"] == place()["namespace"], where
        for container in containers(each):
            assert re.fullmatch(r"registry\.example/finial-(service|trainer):[0-9.]+", container["image"]), where
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert each.pod is not None and mounted == {volume["name"] for volume in each.pod["volumes"]}, where


def container_of(built: dict[str, Manifest]) -> dict[str, Any]:
    (container,) = containers(built["Deployment finial"])
    return container


def variables_of(built: dict[str, Manifest]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container_of(built)["env"]}


def test_every_part_of_a_kustomization_is_there() -> None:
    for folder, of in kustomizations().items():
        parts = [
            *of.get("resources", ()),
            *of.get("components", ()),
            *(patch["path"] for patch in of.get("patches", ())),
        ]
        assert all((folder / part).exists() for part in parts), folder
    used = {
        (folder / part).resolve()
        for folder, of in kustomizations().items()
        for part in (*of.get("resources", ()), *(patch["path"] for patch in of.get("patches", ())))
    }
    files = {path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert files <= used, "a manifest that nobody applies"


def test_every_folder_that_a_page_applies_is_there() -> None:
    named = {name for page in PAGES for name in re.findall(r"-k (deploy/\S+)", page.read_text("utf-8"))}

    assert {f"deploy/kubernetes/{name}" for name in BUILT} <= named
    assert all((ROOT / name / "kustomization.yaml").is_file() for name in named)


@pytest.mark.parametrize("name", BUILT)
def test_what_is_built_is_whole(name: str, kubectl: str) -> None:
    assert_whole(build(kubectl, KUBERNETES / name))


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_service_can_be_put_together_with_each_component(component: str, kubectl: str, tmp_path: Path) -> None:
    assert_whole(build(kubectl, service_with(component, tmp_path)))


def test_the_whole_has_what_it_is_made_of(kubectl: str) -> None:
    built = build(kubectl, KUBERNETES / "overlays" / "cluster")

    kinds = Counter(each.kind for each in built.values())
    assert kinds == {
        "Namespace": 1,
        "Deployment": 1,
        "Service": 1,
        "HorizontalPodAutoscaler": 1,
        "PodDisruptionBudget": 1,
        "NetworkPolicy": 2,
        "PersistentVolumeClaim": 3,
        "CronJob": 1,
    }
    assert "replicas" not in built["Deployment finial"].content["spec"]
    assert variables_of(built)["FINIAL_API_KEYS"] == "/keys/keys.toml"


def test_the_trial_needs_no_keys_and_one_node(kubectl: str) -> None:
    built = build(kubectl, KUBERNETES / "overlays" / "trial")

    assert "FINIAL_API_KEYS" not in variables_of(built)
    assert built["Deployment finial"].content["spec"]["replicas"] == 1
    claims = [each.content["spec"] for each in built.values() if each.kind == "PersistentVolumeClaim"]
    assert [claim["accessModes"] for claim in claims] == [["ReadWriteOnce"]] * 3


def test_models_at_an_address_need_no_volume_and_a_way_out(kubectl: str, tmp_path: Path) -> None:
    built = build(kubectl, service_with("address", tmp_path))

    assert variables_of(built)["FINIAL_MODELS_DIR"] == "s3://bucket/models"
    assert not any(each.kind == "PersistentVolumeClaim" for each in built.values())
    ports = {port["port"] for rule in built["NetworkPolicy finial"].content["spec"]["egress"] for port in rule["ports"]}
    assert ports == {443, 53}
    assert {mount["mountPath"] for mount in container_of(built)["volumeMounts"]} == {"/cache", "/keys", "/tmp"}  # noqa: S108


def test_jobs_have_names_of_their_own(kubectl: str) -> None:
    """Else a rollback would take the place of a training that runs."""
    built = [build(kubectl, KUBERNETES / "overlays" / name) for name in ("train-now", "rollback")]

    assert [[*each] for each in built] == [["Job finial-train-now"], ["Job finial-rollback"]]
