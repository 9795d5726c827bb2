"""A connection to a Ray cluster, or a small cluster of this machine, for as long as there is something to compute."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.counting import counted
from trainer.errors.clusters import ClusterTooSmall, ClusterUnreachable, RayMissing
from trainer.ray_settings import RayOptions, require_cluster_address

_ROOT = Path(__file__).resolve().parents[1]
_SHIPPED = ("trainer", "shared")
_NOT_SHIPPED = ("*.safetensors", "templates", "__pycache__")
_ANSWERS_IN_S = 10.0
_TOLD_NODES = 3
_STORE_BYTES = 256 * 1024**2  # besides the graph: what is in it are lists of names


@contextlib.contextmanager
def connected(options: RayOptions, *, graph_bytes: int) -> Iterator[Any]:
    """The package `ray`, connected. A connection that the caller has made before is used, and stays.

    The code of this run goes along, so that a node needs only the packages; with a connection that the caller has made
    it does if he has told Ray so: `ray.init(runtime_env=code_of_this_run())`. Nothing is told to Ray's makers, and what
    Ray would print stays in its logs: progress and errors are told as always.

    Args:
        options: of the run.
        graph_bytes: how large the graph is.

    Raises:
        RayMissing: it is not installed, or too old.
        ClusterUnreachable: no cluster is there, or can be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
        import ray.data.exceptions
    except ImportError as error:
        raise RayMissing from error
    if not hasattr(ray.data.exceptions, "ExecutionTimeoutError"):  # it would wait for ever where nothing can be done
        raise RayMissing
    with _quiet():
        if ray.is_initialized():
            yield ray
            return
        try:
            _connect(ray, options, graph_bytes)
            yield ray
        finally:
            ray.shutdown()


def code_of_this_run() -> dict[str, Any]:
    """A `runtime_env` of Ray's by which the code of this run goes to the workers."""
    return {"py_modules": [str(_ROOT / name) for name in _SHIPPED], "excludes": list(_NOT_SHIPPED)}


@dataclass(frozen=True)
class Room:
    """What a cluster has now.

    Attributes:
        nodes: how many there are.
        workers: how many fit on them, or the limit that was given if that is fewer.
        largest: CPUs and GPUs of each node, the largest by CPUs first; a few of them.
        most_gpus: of any node.
    """

    nodes: int
    workers: int
    largest: tuple[tuple[float, float], ...]
    most_gpus: float = 0.0

    def in_words(self, options: RayOptions) -> str:
        """A sentence: how many nodes and workers; where there is no worker, how large the largest nodes are."""
        each = counted(options.cpus_per_worker, "CPU")
        each += f" and {options.gpus_per_worker:g} GPU" if options.gpus_per_worker else ""
        found = f"{counted(self.nodes, 'node')}, {counted(self.workers, 'worker')} of {each} each."
        if self.workers:
            return found
        sizes = ", ".join(f"{cpus:g} CPUs and {gpus:g} GPUs" for cpus, gpus in self.largest)
        return f"{found} The largest nodes have {sizes or 'nothing'}."


def room_in(ray: Any, options: RayOptions) -> Room:
    """What there is room for on the nodes that are there; none where it is a cluster's own, which may grow.

    Raises:
        ClusterTooSmall: no worker fits on this machine, which is all of the cluster.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    fitting = sum(_fitting(node, options) for node in nodes)
    if fitting == 0 and _is_of_this_machine(options):
        raise ClusterTooSmall(options.cpus_per_worker, options.gpus_per_worker)
    sizes = sorted(((node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes), reverse=True)
    most_gpus = max((gpus for _, gpus in sizes), default=0.0)
    return Room(len(nodes), min(fitting, options.workers or fitting), tuple(sizes[:_TOLD_NODES]), most_gpus)


def _fitting(node: dict[str, float], options: RayOptions) -> int:
    by_cpu = node.get("CPU", 0.0) // options.cpus_per_worker
    return int(min(by_cpu, node.get("GPU", 0.0) // options.gpus_per_worker) if options.gpus_per_worker else by_cpu)


def _address(options: RayOptions) -> str:
    return options.address or os.environ.get("RAY_ADDRESS", "")


def _is_of_this_machine(options: RayOptions) -> bool:
    return _address(options) in ("", "local")


def _connect(ray: Any, options: RayOptions, graph_bytes: int) -> None:
    told: dict[str, Any] = {
        "runtime_env": code_of_this_run(),
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if _is_of_this_machine(options):
        # Ray would take three tenths of the machine's memory for its store.
        told |= {
            "address": "local",
            "num_cpus": options.cpus_here,
            "object_store_memory": _STORE_BYTES + 2 * graph_bytes,
            "include_dashboard": False,
        }
    else:
        told["address"] = _address(options)
    try:
        require_cluster_address(_address(options))
        _require_answer(_address(options))
        ray.init(**told)
    except Exception as error:  # ConnectionError, ValueError, RuntimeError, and those of its own
        detail = (str(error) or type(error).__name__).splitlines()[0]
        raise ClusterUnreachable(_address(options), detail) from error


def _require_answer(address: str) -> None:
    """Ray itself tries for minutes where nobody listens.

    Raises:
        OSError: nobody does; an address without a port is for Ray to understand.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWERS_IN_S).close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data's notes would be in the midst of ours; afterwards they are told again, to a program that wants them."""
    handlers = [one for one in logging.getLogger("ray.data").handlers if not isinstance(one, logging.FileHandler)]
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)
