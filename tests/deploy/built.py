"""What kustomize builds of deploy/kubernetes, and what there is to ask of it."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.deploy.manifests import KUBERNETES, Manifest

OF_ONE_PURPOSE = ("overlays/train-now", "overlays/rollback", "overlays/fill")
"""Built over volumes that one of the others has made."""
STANDING = ("overlays/cluster", "overlays/trial", "kserve")
BUILT = ("namespace", *STANDING, *OF_ONE_PURPOSE)


def build(kubectl: str, folder: Path) -> dict[str, Manifest]:
    """What is applied, by kind and name."""
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [Manifest(folder.name, content, False) for content in yaml.safe_load_all(done.stdout)]
    return {f"{each.kind} {each.name}": each for each in found}


def whole_with(components: Iterable[str], folder: Path) -> Path:
    """A copy of `overlays/cluster` as a user writes one, with other components."""
    above = os.path.relpath(KUBERNETES, folder)
    parts = [f"{above}/components/{component}" for component in (*components, "place")]
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": [f"{above}/namespace", f"{above}/service", f"{above}/training"],
                "components": parts,
            }
        )
    )
    return folder


def claims_of(built: Iterable[Manifest]) -> set[str]:
    """Those that pods mount, or that KServe is to mount."""
    volumes = [volume for each in built for volume in (each.pod or {}).get("volumes", ())]
    mounted = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    uris = [
        each.content["spec"]["predictor"]["model"]["storageUri"] for each in built if each.kind == "InferenceService"
    ]
    return mounted | {uri.removeprefix("pvc://") for uri in uris if uri.startswith("pvc://")}


def claims_made(built: Iterable[Manifest]) -> set[str]:
    """Those that come with them."""
    return {each.name for each in built if each.kind == "PersistentVolumeClaim"}


def ways_out(built: dict[str, Manifest], policy: str) -> set[tuple[str, int]]:
    """Where to and at which port of TCP a NetworkPolicy lets its pods ask; "" is anywhere."""
    return {
        (to.get("ipBlock", {}).get("cidr", ""), port["port"])
        for rule in built[f"NetworkPolicy {policy}"].content["spec"]["egress"]
        for to in rule.get("to", [{}])
        for port in rule["ports"]
        if port["protocol"] == "TCP"
    }


def selectors(built: dict[str, Manifest]) -> dict[str, dict[str, str]]:
    """Labels that an object wants of pods, by the object."""
    specs = {where: each.content.get("spec", {}) for where, each in built.items()}
    found = {where: spec.get("selector", spec.get("podSelector")) for where, spec in specs.items()}
    return {where: of.get("matchLabels", of) for where, of in found.items() if of}
