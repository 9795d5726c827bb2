"""Every manifest is one that Kubernetes would take, with no field that it does not know."""

from typing import Any

import pytest

from tests.deploy.manifests import ROOT, Manifest, manifest, manifests
from tests.deploy.schemas import CUSTOM, RELEASES, as_autoscaler, as_pod, complaints, complaints_of_patch

OWN = [each for each in manifests() if each.kind not in CUSTOM and not each.is_patch]
PATCHES = [each for each in manifests() if each.is_patch]
CUSTOM_OBJECTS = [each for each in manifests() if each.kind in CUSTOM]


def where(each: Manifest) -> str:
    return f"{each.where}-{each.kind}"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("each", OWN, ids=where)
def test_kubernetes_takes_an_object(each: Manifest, release: str) -> None:
    assert complaints(each.content, release) == []


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("each", PATCHES, ids=where)
def test_a_patch_has_only_fields_that_there_are(each: Manifest, release: str) -> None:
    assert complaints_of_patch(each.content, release) == []


@pytest.mark.parametrize("each", CUSTOM_OBJECTS, ids=where)
def test_an_object_of_kserve_or_keda_has_only_fields_that_there_are(each: Manifest) -> None:
    CUSTOM[each.kind].model_validate(each.content)


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_kubernetes_own_in_them_is_taken_too(release: str) -> None:
    runtime, scaled = manifest("kserve/runtime.yaml"), manifest("components/autoscaling-keda/scaled-object.yaml")
    assert runtime.pod is not None

    assert complaints(as_pod(runtime.pod), release) == []
    assert complaints(as_autoscaler(scaled.content), release) == []


def test_the_pages_name_the_releases() -> None:
    """A later kubernetes-validate moves them on."""
    pages = (ROOT / "docs" / "kubernetes.md", ROOT / "docs" / "decisions" / "0056-manifests-and-their-schemas.md")

    assert all(f"{RELEASES[0]} to {RELEASES[-1]}" in page.read_text("utf-8") for page in pages)


def test_there_is_something_to_look_at() -> None:
    assert len(RELEASES) == 3
    assert {each.kind for each in OWN} >= {"Deployment", "Job", "CronJob", "NetworkPolicy", "PodDisruptionBudget"}
    assert {each.kind for each in CUSTOM_OBJECTS} == CUSTOM.keys()
    assert PATCHES


# --- the test of the test ---


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"replicas": "two"}, "is not of type"),
        ({"replicaCount": 2}, "was unexpected"),
        ({"template": {"spec": {"containers": [{"name": "service", "readynessProbe": {}}]}}}, "was unexpected"),
    ],
)
def test_a_mistake_is_found_in_a_whole_object_and_in_a_patch(change: dict[str, Any], complaint: str) -> None:
    deployment = manifest("service/deployment.yaml").content
    whole = {**deployment, "spec": {**deployment["spec"], **change}}
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "finial"}, "spec": change}

    assert any(complaint in found for found in complaints(whole, RELEASES[-1]))
    assert any(complaint in found for found in complaints_of_patch(patch, RELEASES[-1]))
