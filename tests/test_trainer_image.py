"""The trainer's image has what its build arguments promise; it is built where there is an engine (tests/container)."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile.train").read_text("utf-8")


def installed(tmp_path: Path, **arguments: str) -> list[str]:
    """Words that the image's shell hands to pip."""
    found = re.search(r"^RUN (pip install .*?requirements/tested\.txt)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert found is not None
    (tmp_path / "pip").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "pip").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "RUNTIME": "onnxruntime", **arguments}
    done = subprocess.run(["/bin/sh", "-c", found[1]], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(("arguments", "has_ray"), [({}, False), ({"RAY": ""}, False), ({"RAY": "1"}, True)])
def test_the_package_ray_is_there_where_it_was_asked_for(
    arguments: dict[str, str], tmp_path: Path, *, has_ray: bool
) -> None:
    """A node of a cluster needs the packages of the run, best by one image."""
    assert ("requirements/ray.txt" in installed(tmp_path, **arguments)) is has_ray
    assert re.search(r"^ARG RAY=$", DOCKERFILE, re.MULTILINE)


def test_every_file_that_is_installed_from_was_copied(tmp_path: Path) -> None:
    (copied,) = re.findall(r"^COPY (requirements/.*) requirements/$", DOCKERFILE, re.MULTILINE)
    there = {path for pattern in copied.split() for path in ROOT.glob(pattern)}

    wanted = [word for word in installed(tmp_path, RAY="1") if word.startswith("requirements/")]

    assert len(wanted) == 6
    assert {ROOT / word for word in wanted} <= there
