"""Programs of which no other test runs the whole: each comes to its end, and what it prints last are its figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.memory import write_pictures
from tests.service.bundles import publish_bundle
from tests.service.running import ROOT

PROGRAMS = [
    ("head", "--rows 200 --rounds 1 --threads 1", "fits"),
    ("featurize", "--backbone nano --pictures 20 --rounds 1 --cache-dir {0} --only finial", "figures"),
    ("pool", "--models nano-float32 --callers 2 --rounds 1 --seconds 0.1 --folder {0}/models", "models"),
    ("startup", "{0}/models --runs 1", "models"),
    ("swap", "{0}/models/nano-float32 --swaps 4 --clients 2", "mixed_up"),
    ("overload", "{0}/models --seconds 0.5", "runs"),
    ("int8", "{0}/pictures --backbone nano --cache-dir {0} --threads 1", "results"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "told"), PROGRAMS, ids=[name for name, _, _ in PROGRAMS])
def test_a_program_comes_to_its_end_with_its_figures(name: str, options: str, told: str, tmp_path: Path) -> None:
    publish_bundle(tmp_path / "models", "nano-float32")  # what is asked for nano finds it made already
    write_pictures(tmp_path / "pictures", 40)
    command = [sys.executable, "-m", f"bench.{name}", *options.format(tmp_path).split()]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
    assert told in json.loads(run.stdout.splitlines()[-1])
