"""Prometheus, run on configurations of deploy/prometheus in a hurry, and its own tools."""

import contextlib
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.service.waiting import until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAME = re.compile(r"\b(?:finial|process)_[a-z0-9_]+\b|\bup\b")
"""Of a metric, in an expression."""


@contextlib.contextmanager
def running_prometheus(
    program: str, folder: Path, config: dict[str, Any], *, rules: Sequence[Path]
) -> Iterator[Callable[[str], list[float]]]:
    """Prometheus that scrapes twice a second; yields what asks it for the values of an expression."""
    hurry = {"scrape_interval": "500ms", "evaluation_interval": "500ms", "scrape_timeout": "500ms"}
    whole = config | {"global": hurry, "rule_files": [str(path) for path in rules]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(whole))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = {"config.file": "prometheus.yml", "storage.tsdb.path": "data", "web.listen-address": address}
    command = [program, *(f"--{name}={value}" for name, value in options.items())]
    with (
        subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=30) as client,
    ):
        try:
            until(lambda: _answers(client), within_s=30)
            yield lambda expression: _values(client.get("/api/v1/query", params={"query": expression}))
        finally:
            process.terminate()


def run(*command: str | Path, given: str | None = None) -> None:
    """A tool that must have nothing to complain of."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False


def _values(answer: httpx.Response) -> list[float]:
    found = answer.raise_for_status().json()["data"]["result"]
    return [float(one["value"][1]) for one in found]
