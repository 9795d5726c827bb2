"""The manifests of deploy/kubernetes as they lie there, without anything of a cluster's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
DOCKERFILES = {"finial-service": ROOT / "Dockerfile.serve", "finial-trainer": ROOT / "Dockerfile.train"}
"""By the name that manifests give an image, before a registry is put in front of it."""

_UNITS = {"": 1.0, "m": 1e-3, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}


@dataclass(frozen=True)
class Manifest:
    """One object.

    Attributes:
        where: its file, below deploy/kubernetes.
        content: what stands there.
        is_patch: whether it is only a part, which a kustomization puts over another one.
    """

    where: str
    content: dict[str, Any]
    is_patch: bool

    @property
    def kind(self) -> str:
        """As Kubernetes names it."""
        return str(self.content["kind"])

    @property
    def name(self) -> str:
        """Of the object."""
        return str(self.content["metadata"]["name"])

    @property
    def pod(self) -> dict[str, Any] | None:
        """What it says of its pods: the innermost `spec` that has containers."""
        return next((found for found in _dictionaries(self.content) if "containers" in found), None)


def kustomizations() -> dict[Path, dict[str, Any]]:
    """What each folder is put together from."""
    return {path.parent: yaml.safe_load(path.read_text("utf-8")) for path in KUBERNETES.rglob("kustomization.yaml")}


def manifests() -> list[Manifest]:
    """All of them."""
    patches = {folder / patch["path"] for folder, of in kustomizations().items() for patch in of.get("patches", ())}
    files = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml")
    return [
        Manifest(path.relative_to(KUBERNETES).as_posix(), content, path in patches)
        for path in files
        for content in yaml.safe_load_all(path.read_text("utf-8"))
    ]


def manifest(where: str) -> Manifest:
    """The one of a file."""
    (found,) = (each for each in manifests() if each.where == where)
    return found


def containers(of: Manifest) -> list[dict[str, Any]]:
    """Those of its pods."""
    return list((of.pod or {}).get("containers", ()))


def labels_of_pods(each: Manifest) -> dict[str, str]:
    """Of a Deployment, a ServingRuntime, a Job, a CronJob: those by which a selector chooses its pods."""
    spec: dict[str, Any] = each.content["spec"]
    if each.kind == "ServingRuntime":
        return dict(spec["labels"])
    template = (spec["jobTemplate"]["spec"] if each.kind == "CronJob" else spec)["template"]
    return dict(template["metadata"]["labels"])


def place() -> dict[str, Any]:
    """The namespace, and where images are."""
    return kustomizations()[KUBERNETES / "components" / "place"]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """What a container finds in its environment: the image's, and what the manifest sets over it."""
    image = environment_of_image(container["image"]) if "image" in container else {}
    return image | {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


def environment_of_image(image: str) -> dict[str, str]:
    """What its Dockerfile sets."""
    lines = re.findall(r"^ENV (.*)$", DOCKERFILES[image].read_text("utf-8"), re.MULTILINE)
    return dict(word.split("=", 1) for line in lines for word in line.split())


def user_of_image(image: str) -> tuple[int, int]:
    """Numbers of user and group, as its Dockerfile has them."""
    (found,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILES[image].read_text("utf-8"), re.MULTILINE)
    return int(found[0]), int(found[1])


def quantity(text: str) -> float:
    """A number as Kubernetes writes it: `1536Mi`, `100m`, `2`."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text)
    assert match is not None, text
    return float(match[1]) * _UNITS[match[2]]


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _dictionaries(inner)
