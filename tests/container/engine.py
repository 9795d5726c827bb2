"""Drives a Docker engine and Compose by their commands, the way a user does."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD_TIMEOUT_S, RUN_TIMEOUT_S = 1500, 300


def run(*command: str, env: Mapping[str, str] | None = None, timeout_s: float = RUN_TIMEOUT_S) -> "Finished":
    """Run a command in the repository and keep what it said; it may fail."""
    result = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Finished(result.returncode, result.stdout, result.stderr)


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    exit_code: int
    output: str
    errors: str

    def or_fail(self) -> str:
        """The output of a command that must not fail."""
        assert self.exit_code == 0, f"exit code {self.exit_code}\n{self.output[-4000:]}\n{self.errors[-4000:]}"
        return self.output


def why_no_engine() -> str | None:
    """What keeps the container tests from running; None when nothing does."""
    if shutil.which("docker") is None:
        return "no `docker` command"
    if run("docker", "info").exit_code != 0:
        return "no Docker engine answers"
    if compose_command() is None:
        return "neither `docker compose` nor `docker-compose`"
    return None


def compose_command() -> tuple[str, ...] | None:
    """Compose as a plugin, or else as the older program of its own."""
    if run("docker", "compose", "version").exit_code == 0:
        return ("docker", "compose")
    return ("docker-compose",) if shutil.which("docker-compose") else None


@dataclass(frozen=True)
class Project:
    """One Compose project: docker-compose.yml with variables and a name of its own.

    Attributes:
        name: of the project and tag of its images, so that nothing of the user's is touched.
        data: the host folder mounted at /data.
        port: where the service is reached on this host.
        more: further variables, which come before the others.
    """

    name: str
    data: Path
    port: int
    more: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, timeout_s: float = RUN_TIMEOUT_S) -> Finished:
        """Run `docker compose ARGUMENTS`."""
        command = compose_command()
        assert command is not None
        return run(*command, "-p", self.name, *arguments, env=self.variables, timeout_s=timeout_s)

    def train(self, *arguments: str) -> Finished:
        """`docker compose run trainer ARGUMENTS`, without a terminal."""
        return self("run", "--rm", "-T", "trainer", *arguments)

    def image(self, service: str) -> str:
        """Full name of an image."""
        return f"finial-{service}:{self.name}"

    def python(self, service: str, code: str) -> str:
        """What a program prints in a fresh container of an image."""
        return run("docker", "run", "--rm", "--entrypoint", "python", self.image(service), "-c", code).or_fail().strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows about the service's container, also after it has stopped."""
        container = self("ps", "--all", "--quiet", service).or_fail().strip()
        described: dict[str, Any] = json.loads(run("docker", "inspect", container).or_fail())[0]
        return described

    def remove(self) -> None:
        """Remove containers, networks, volumes and images of this project."""
        self("--profile", "train", "down", "--volumes", "--remove-orphans")
        if os.environ.get("FINIAL_KEEP_IMAGES") != "1":
            run("docker", "rmi", "--force", self.image("trainer"), self.image("service"))

    @property
    def variables(self) -> dict[str, str]:
        """What the Compose files are told by the environment."""
        return {"FINIAL_DATA": str(self.data), "FINIAL_PORT": str(self.port), "FINIAL_TAG": self.name, **self.more}
