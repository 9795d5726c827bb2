"""Three replicas behind the balancer, as deploy/replicas has them, driven by Compose and by its script."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.container.engine import Finished, Project, compose_command, run

FILES = "docker-compose.yml:deploy/replicas/docker-compose.yml"
NAMES = ("replica-1", "replica-2", "replica-3")
BALANCER = "balancer"
CPUS = "0.5"  # of each: clients and engine have the rest of a small machine


class Replicas:
    """The balancer and what is behind it.

    Args:
        of: the images are its; names of containers and volumes are others.
        port: where clients reach the balancer on this machine.
        operators_port: where it tells its own state.
    """

    def __init__(self, of: Project, *, port: int, operators_port: int) -> None:
        more = {"FINIAL_TAG": of.name, "FINIAL_OPERATORS_PORT": str(operators_port), "FINIAL_CPUS": CPUS}
        more |= {"COMPOSE_FILE": FILES}
        self.project = Project(name=f"{of.name}-replicas", data=of.data, port=port, more=more)
        self.port, self.url, self.tag = port, f"http://127.0.0.1:{port}", of.name
        self._operators = f"http://127.0.0.1:{operators_port}"

    @property
    def service_image(self) -> str:
        """What replicas run unless they were rolled."""
        return self.service_image_of(self.tag)

    def service_image_of(self, tag: str) -> str:
        """What they run where that is the tag."""
        return f"finial-service:{tag}"

    def serve(self, bundle: Path) -> None:
        """Copy a version to where the replicas look, as the docs say: its folder first, then what names it."""
        model = bundle.parent.name
        (bundle.parent / "current").write_text(f"{bundle.name}\n")
        volumes = ("--volume", f"{self.project.name}_models:/models", "--volume", f"{bundle.parent}:/from:ro")
        entry = ("--user", "0:0", "--entrypoint", "sh", self.service_image)
        steps = (
            f"mkdir -p /models/{model} && cd /models/{model}",
            f"cp -r /from/{bundle.name} .",
            "cp /from/current current.new && mv current.new current",
        )
        run("docker", "run", "--rm", *volumes, *entry, "-c", " && ".join(steps)).or_fail()

    def all_take_requests(self) -> bool:
        """Whether the balancer gives requests to each of them."""
        try:
            return httpx.get(f"{self._operators}/ready", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def roll(self, **variables: str) -> Finished:
        """The script that replaces one after the other, as a user calls it."""
        compose = " ".join(compose_command() or ())
        env = {**self.project.variables, "COMPOSE": compose, **variables}
        shell = shutil.which("sh")
        assert shell is not None
        return run(shell, "deploy/replicas/roll.sh", "-p", self.project.name, env=env)

    def container(self, name: str) -> str:
        """Its id; a replica that was replaced has another one."""
        wanted = {"project": self.project.name, "service": name}
        labels = [f"--filter=label=com.docker.compose.{label}={value}" for label, value in wanted.items()]
        (found,) = run("docker", "ps", "--all", "--quiet", "--no-trunc", *labels).or_fail().split()
        return found

    def inspect(self, name: str) -> dict[str, Any]:
        """What the engine knows about its container."""
        described: dict[str, Any] = json.loads(run("docker", "inspect", self.container(name)).or_fail())[0]
        return described

    def image(self, name: str) -> str:
        """What its container runs."""
        return str(self.inspect(name)["Config"]["Image"])

    def address(self, name: str) -> str:
        """Of its container, for this machine."""
        (network,) = self.inspect(name)["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def answered(self, name: str) -> int:
        """How many predictions a replica says to have answered since it began."""
        told = httpx.get(f"http://{self.address(name)}:8000/metrics", trust_env=False).text
        counts = (line for line in told.splitlines() if line.startswith("finial_requests_total{"))
        return sum(int(float(line.split()[-1])) for line in counts if "predict" in line and 'status="200"' in line)

    def balancer_says(self, family: str, **labels: str) -> float:
        """The value of one of the balancer's metrics."""
        told = httpx.get(f"{self._operators}/metrics", trust_env=False).text
        named = "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"
        (line,) = (line for line in told.splitlines() if line.startswith(family + named))
        return float(line.split()[-1])

    def in_flight(self, name: str) -> float:
        """How many requests a replica has of the balancer."""
        return self.balancer_says("haproxy_server_current_sessions", proxy="replicas", server=name)

    def log(self, name: str) -> str:
        """The latest that a container has written."""
        finished = run("docker", "logs", "--tail", "50", self.container(name))
        return finished.output + finished.errors

    def remove(self) -> None:
        """Containers, volumes and the balancer's image."""
        self.project("down", "--volumes", "--remove-orphans", "--timeout", "1")
        run("docker", "rmi", "--force", f"finial-{BALANCER}:{self.project.more['FINIAL_TAG']}")


@contextmanager
def named(image: str, other: str) -> Iterator[None]:
    """An image has another name, too, for as long as the block lasts."""
    run("docker", "tag", image, other).or_fail()
    try:
        yield
    finally:
        run("docker", "rmi", "--force", other)
