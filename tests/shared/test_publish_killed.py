"""Publishing under fire: killed at any moment, and several programs at once.

The programs run in a Python of their own, which forks: a fork of the tests' process would copy its threads' locks.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PREAMBLE = """
import os, signal, sys
from pathlib import Path
from shared.bundle import read_bundle
from shared.publish import list_versions, publish, read_current, resolve, rollback, staging_folder
from tests.shared.models import publish_pets, write_bundle

models = Path(sys.argv[1])
pets = models / "pets"
"""

KILLED = """
# What changes or opens files is announced to audit hooks, before it happens: so there it is killed.
EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir", "fcntl.flock"}

def killed_at(moment, action):
    child = os.fork()
    if child == 0:
        seen = 0
        def hook(event, arguments):
            nonlocal seen
            if event in EVENTS:
                seen += 1
                if seen == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        action()
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

publish_pets(models)
for name, action in {
    "publish": lambda: publish_pets(models, keep_versions=2),
    "rollback": lambda: rollback(models, "pets", list_versions(pets)[0]),
}.items():
    moment = 1
    while killed_at(moment, action):
        read_bundle(resolve(pets))  # current names a whole bundle, whatever happened
        for version in list_versions(pets):
            read_bundle(pets / version)  # and so is every other version
        with staging_folder(models, "pets"):  # the next run
            pass
        left = {path.name for path in pets.iterdir()} - set(list_versions(pets)) - {"current", ".lock"}
        assert not left, (name, moment, left)
        moment += 1
    print(name, moment)
"""

TOGETHER = """
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        for _ in range(5):
            publish_pets(models, keep_versions=100)
        os._exit(0)
    children.append(child)
for _ in range(200):
    if pets.exists() and (pets / "current").exists():
        read_bundle(resolve(pets))  # a reader meanwhile always finds a whole bundle
print([os.waitpid(child, 0)[1] for child in children])
versions = list_versions(pets)
for version in versions:
    read_bundle(pets / version)
left = {path.name for path in pets.iterdir()} - set(versions)
print(len(versions), read_current(pets) == versions[-1], sorted(left))
"""


def run(program: str, models_dir: Path) -> list[str]:
    found = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, str(models_dir)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_whole_current_version_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    moments = dict(line.split() for line in run(KILLED, tmp_path))

    assert int(moments["publish"]) > 40
    assert int(moments["rollback"]) > 5


def test_several_programs_publish_one_model_at_once_and_every_version_is_whole(tmp_path: Path) -> None:
    assert run(TOGETHER, tmp_path) == ["[0, 0, 0, 0]", "20 True ['.lock', 'current']"]
