"""What docs/kubernetes.md says to type is there: folders, objects, Secrets, patches."""

import re
from typing import Any

import pytest
import yaml

from tests.deploy.built import BUILT, build
from tests.deploy.manifests import KUBERNETES, ROOT, manifest
from tests.deploy.schemas import RELEASES, complaints_of_patch

PAGE = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
PAGES = (ROOT / "docs" / "kubernetes.md", ROOT / "docs" / "scaling.md", ROOT / "deploy" / "README.md")


def commands() -> list[str]:
    """What the page has to be typed."""
    blocks: list[str] = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def test_every_folder_that_a_page_applies_is_there() -> None:
    named = {name for page in PAGES for name in re.findall(r"-k (deploy[\w/-]+)", page.read_text("utf-8"))}

    assert {f"deploy/kubernetes/{name}" for name in BUILT} <= named
    assert all((ROOT / name / "kustomization.yaml").is_file() for name in named)


def test_every_object_that_the_page_names_is_there(kubectl: str) -> None:
    built = {where.lower() for name in BUILT for where in build(kubectl, KUBERNETES / name)}
    pattern = r"\b(cronjob|deployment|job|pod|service)[ /](finial[a-z-]*)"
    named = {" ".join(found) for line in commands() for found in re.findall(pattern, line)}
    secrets = set(re.findall(r"create secret generic (\S+)", PAGE))

    assert {found.split()[0] for found in named} == {"cronjob", "deployment", "job", "pod", "service"}
    assert named <= built
    assert secrets == {volume["secret"]["secretName"] for volume in whole_volumes() if "secret" in volume}


def whole_volumes() -> list[dict[str, Any]]:
    pod = manifest("service/deployment.yaml").pod
    return list((pod or {})["volumes"])


def test_whoever_waits_by_the_page_waits_long_enough() -> None:
    """`kubectl wait` gives up after 30 s, `rollout status` after ten minutes: too soon for an image and a training."""
    first_look = PAGE[PAGE.index("## A first look") : PAGE.index("## The whole")]
    waits = [line for line in commands() if " wait " in line]

    assert waits and all("--timeout=" in line for line in waits)
    assert not [line for line in commands() if "rollout status" in line and line in first_look]


@pytest.mark.parametrize("release", RELEASES)
def test_what_the_page_shows_as_a_patch_is_one(release: str) -> None:
    shown = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]

    assert shown
    assert [complaints_of_patch(each, release) for each in shown] == [[]] * len(shown)
