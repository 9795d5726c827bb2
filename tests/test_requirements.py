"""requirements/tested.txt is whole: whatever an install brings has its tested version there (decision 2)."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).parents[1] / "requirements"


def pinned(file: str) -> dict[str, str]:
    """Name -> version, as a file has them."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", (FOLDER / file).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


TESTED = pinned("tested.txt")


def named() -> list[Requirement]:
    """What the files ask for, but those of other environments; one that only includes others asks for nothing."""
    texts = [path.read_text() for path in FOLDER.glob("*.txt") if not path.name.startswith(("tested", "bench"))]
    lines = [line.partition("#")[0].strip() for text in texts for line in text.splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def brought_by(requirements: list[Requirement]) -> dict[str, str]:
    """Everything that is installed because of them, by name, with its version."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    left = [(requirement, extra) for requirement in requirements for extra in ("", *requirement.extras)]
    while left:
        requirement, extra = left.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # of another platform, or the other one of two runtimes
            continue
        found[name] = installed.version
        for line in installed.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                left += [(needed, each) for each in ("", *needed.extras)]
    return found


def test_whatever_an_install_brings_has_a_tested_version() -> None:
    brought = brought_by(named())

    assert len(brought) > 100
    assert sorted(name for name in brought if name not in TESTED) == []


def test_fastai_is_pinned_beside_ours_in_its_environment_and_nothing_is_pinned_twice() -> None:
    """`bench.whole_job` compares with it: both sides have the same torch, since that is pinned in one place."""
    of_fastai = pinned("tested-bench-fastai.txt")

    (wanted,) = [Requirement(line) for line in (FOLDER / "bench-fastai.txt").read_text().splitlines()]
    assert wanted.specifier.contains(of_fastai[wanted.name])
    assert sorted(of_fastai.keys() & TESTED.keys()) == []
