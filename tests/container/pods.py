"""Runs a pod of deploy/kubernetes with a Docker engine: user, environment, command, limits, mounts of its manifest.

What Docker has no word for (probes, restarts, a seccomp profile that is its default anyway) is left to the tests.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.container.engine import Finished, run
from tests.deploy.manifests import Manifest, containers, quantity


def as_arguments(of: Manifest, *, sources: Mapping[str, str], name: str = "") -> list[str]:
    """What comes before the image in `docker run`.

    Args:
        of: a manifest with one container.
        sources: where a claim or a Secret is on this machine: a volume's name or a folder.
        name: what KServe puts in the place of `{{.Name}}`.
    """
    (container,) = containers(of)
    pod = of.pod or {}
    security = {**pod.get("securityContext", {}), **container["securityContext"]}
    limits = container["resources"]["limits"]
    memory = str(int(quantity(limits["memory"])))
    arguments = ["--user", f"{security['runAsUser']}:{security['runAsGroup']}"]
    arguments += ["--cpus", str(quantity(limits["cpu"])), "--memory", memory, "--memory-swap", memory]
    arguments += ["--read-only"] if security["readOnlyRootFilesystem"] else []
    arguments += [part for capability in security["capabilities"]["drop"] for part in ("--cap-drop", capability)]
    arguments += [] if security["allowPrivilegeEscalation"] else ["--security-opt", "no-new-privileges:true"]
    arguments += ["--group-add", str(security["fsGroup"])] if "fsGroup" in security else []
    for variable in container.get("env", ()):
        arguments += ["--env", f"{variable['name']}={variable['value'].replace('{{.Name}}', name)}"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        arguments += _mounted(volumes[mount["name"]], mount, sources)
    if "terminationGracePeriodSeconds" in pod:
        arguments += ["--stop-timeout", str(pod["terminationGracePeriodSeconds"])]
    for port in container.get("ports", ()):
        arguments += ["--publish", f"127.0.0.1::{port['containerPort']}"]
    return arguments


def _mounted(volume: dict[str, Any], mount: dict[str, Any], sources: Mapping[str, str]) -> list[str]:
    path = mount["mountPath"]
    if "emptyDir" in volume:
        assert volume["emptyDir"]["medium"] == "Memory"
        return ["--tmpfs", f"{path}:size={int(quantity(volume['emptyDir']['sizeLimit']))},mode=1777"]
    claim = volume.get("persistentVolumeClaim", {}).get("claimName") or volume["secret"]["secretName"]
    return ["--volume", f"{sources[claim]}:{path}{':ro' if mount.get('readOnly') else ''}"]


def command_of(of: Manifest, image: str) -> list[str]:
    """The image, and what follows it in `docker run`; before it the entry point, if the manifest names one."""
    (container,) = containers(of)
    entry, *rest = container.get("command", [""])
    return [*(["--entrypoint", entry] if entry else []), image, *rest, *container.get("args", ())]


def run_to_its_end(of: Manifest, image: str, *, sources: Mapping[str, str]) -> Finished:
    """A pod of a Job."""
    return run("docker", "run", "--rm", *as_arguments(of, sources=sources), *command_of(of, image))


@contextmanager
def running(
    of: Manifest, image: str, *, sources: Mapping[str, str], name: str = "", mounts: tuple[str, ...] = ()
) -> Iterator["Pod"]:
    """A pod that stays; `mounts` are those that somebody adds to what its manifest has."""
    added = [part for mount in mounts for part in ("--volume", mount)]
    arguments = [*as_arguments(of, sources=sources, name=name), *added]
    pod = Pod(run("docker", "run", "--detach", *arguments, *command_of(of, image)).or_fail().strip())
    try:
        yield pod
    finally:
        run("docker", "rm", "--force", "--volumes", pod.container)


class Pod:
    """A running container."""

    def __init__(self, container: str) -> None:
        self.container = container

    def exec(self, *command: str) -> Finished:
        """Run a command in it, as `kubectl exec` does."""
        return run("docker", "exec", self.container, *command)

    def inspect(self, what: str) -> str:
        """A field of what the engine knows of it, as a template of Go names it."""
        return run("docker", "inspect", "--format", f"{{{{{what}}}}}", self.container).or_fail().strip()

    def url(self, port: int) -> str:
        """Where a port of it is reached on this machine."""
        return f"http://{run('docker', 'port', self.container, str(port)).or_fail().splitlines()[0]}"

    def terminate(self) -> None:
        """What the kubelet sends first."""
        run("docker", "kill", "--signal", "TERM", self.container).or_fail()

    def wait(self) -> int:
        """Its exit code, when it has one."""
        return int(run("docker", "wait", self.container).or_fail())
