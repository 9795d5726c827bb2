"""The demo, run the way `make demo` runs it."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run_demo(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "examples/demo.py", "--folder", str(folder)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_the_demo_answers_a_picture_and_leaves_no_service_behind(tmp_path: Path) -> None:
    """The first thing a new user types must end well, and say where everything is."""
    finished = run_demo(tmp_path)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert '"label": "' in finished.stdout
    assert "drawn by a program" in finished.stdout
    assert [path.name for path in tmp_path.glob("models/demo/*/report.html")] == ["report.html"]
    assert not listens(port_of(finished.stdout))


def test_the_demo_fails_when_a_step_fails(tmp_path: Path) -> None:
    """Here the pictures cannot be written: a file is in the place of their folder."""
    (tmp_path / "pictures").write_text("in the way")

    finished = run_demo(tmp_path)

    assert finished.returncode != 0
    assert "demo: " in finished.stderr


def port_of(output: str) -> int:
    found = re.search(r"http://127\.0\.0\.1:(\d+)/predict", output)
    assert found is not None, output
    return int(found[1])


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
