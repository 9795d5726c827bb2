"""Kustomize builds what the docs apply, and what it builds is whole.

`kubectl` has it inside; without one only the files are looked at.
"""

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.built import (
    BUILT,
    OF_ONE_PURPOSE,
    STANDING,
    build,
    claims_made,
    claims_of,
    selectors,
    ways_out,
    whole_with,
)
from tests.deploy.manifests import KUBERNETES, Manifest, containers, kustomizations, labels_of_pods, place
from tests.deploy.schemas import CUSTOM, RELEASES, complaints

AUTOSCALERS, OTHERS = ("autoscaling", "autoscaling-keda"), ("open", "address", "fetch")
COMBINATIONS = [
    (autoscaler, *others)
    for autoscaler in AUTOSCALERS
    for count in range(len(OTHERS) + 1)
    for others in itertools.combinations(OTHERS, count)
]
"""Components that the pages offer for the whole: one autoscaler, and any of the others."""


def assert_whole(built: dict[str, Manifest]) -> None:
    for where, each in built.items():
        if each.kind not in CUSTOM:
            assert complaints(each.content, RELEASES[-1]) == [], where
        is_namespace = each.kind == "Namespace"
        assert each.content["metadata"]["name" if is_namespace else "namespace"] == place()["namespace"], where
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


@pytest.mark.parametrize("name", BUILT)
def test_what_is_built_is_whole(name: str, kubectl: str) -> None:
    assert_whole(build(kubectl, KUBERNETES / name))


@pytest.mark.parametrize("components", COMBINATIONS, ids=" ".join)
def test_the_whole_can_be_put_together_with_any_components(
    components: tuple[str, ...], kubectl: str, tmp_path: Path
) -> None:
    """A claim that a component takes away from one pod may be another one's, which then waits for it for ever."""
    built = build(kubectl, whole_with(components, tmp_path))

    assert_whole(built)
    assert claims_of(built.values()) <= claims_made(built.values())


@pytest.mark.parametrize("name", STANDING)
def test_every_claim_is_made_where_it_is_mounted(name: str, kubectl: str) -> None:
    built = build(kubectl, KUBERNETES / name).values()

    assert claims_of(built) == claims_made(built) == {"finial-models", "finial-data", "finial-cache"}


def test_pods_of_one_purpose_mount_what_the_others_have_made(kubectl: str) -> None:
    mounted = {claim for name in OF_ONE_PURPOSE for claim in claims_of(build(kubectl, KUBERNETES / name).values())}

    assert mounted == claims_made(build(kubectl, KUBERNETES / "training").values())


@pytest.mark.parametrize("name", ["overlays/cluster", "overlays/trial"])
def test_every_selector_chooses_one_workload(name: str, kubectl: str) -> None:
    """None chooses nobody, and none takes the pods of another one."""
    built = build(kubectl, KUBERNETES / name)
    pods = {where: labels_of_pods(each) for where, each in built.items() if each.kind in ("Deployment", "CronJob")}

    for where, selector in selectors(built).items():
        assert len([of for of in pods.values() if selector.items() <= of.items()]) == 1, where


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
    """To the store, and to whoever tells a pod its role in a cloud; the trainer has its volumes as before."""
    built = build(kubectl, whole_with(["autoscaling", "address"], tmp_path))

    assert variables_of(built)["FINIAL_MODELS_DIR"] == "s3://bucket/models"
    assert claims_of([built["Deployment finial"]]) == set()
    assert claims_of([built["CronJob finial-train"]]) == claims_made(built.values())
    roles = {("169.254.169.254/32", 80), ("169.254.170.23/32", 80), ("169.254.169.252/32", 988)}
    assert ways_out(built, "finial") == {("", 443), ("", 53)} | roles
    assert ways_out(built, "finial-train") == set()
    assert {mount["mountPath"] for mount in container_of(built)["volumeMounts"]} == {"/cache", "/keys", "/tmp"}  # noqa: S108


def test_a_trainer_that_fetches_has_the_same_way_out(kubectl: str, tmp_path: Path) -> None:
    built = build(kubectl, whole_with(["autoscaling", "address", "fetch"], tmp_path))

    assert ways_out(built, "finial-train") == ways_out(built, "finial") != set()


def test_a_rollback_is_tried_once(kubectl: str) -> None:
    """It goes back from what is served now: a second pod would go back one version more."""
    spec = build(kubectl, KUBERNETES / "overlays" / "rollback")["Job finial-rollback"].content["spec"]

    assert (spec["backoffLimit"], spec.get("podFailurePolicy"), spec["template"]["spec"]["restartPolicy"]) == (
        0,
        None,
        "Never",
    )


def test_jobs_have_names_of_their_own(kubectl: str) -> None:
    """Else a rollback would take the place of a training that runs."""
    built = [build(kubectl, KUBERNETES / "overlays" / name) for name in ("train-now", "rollback")]

    assert [[*each] for each in built] == [["Job finial-train-now"], ["Job finial-rollback"]]
