"""The listening socket and what the process may open."""

import subprocess
import sys

import pytest

from tests.service.running import ROOT

PROGRAM = """
import logging, resource, sys
from service.listener import allow_descriptors
logging.basicConfig(format="%(message)s %(allowed)s %(wanted)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))
allow_descriptors(int(sys.argv[2]))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("hard", "wanted", "allowed", "said"),
    [
        (1000, 900, "900", ""),
        (1000, 1000, "1000", ""),
        (1000, 1001, "1000", "too few open files are allowed 1000 1001"),
        (1000, 10, "64", ""),
    ],
)
def test_open_files_are_allowed_as_far_as_the_system_lets_us(hard: int, wanted: int, allowed: str, said: str) -> None:
    """In a process of its own: a hard limit cannot be raised again."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(hard), str(wanted)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ended.stdout.strip(), ended.stderr.strip()) == (allowed, said)
