"""Featurising on a Ray cluster."""

from collections.abc import Mapping

from trainer.errors import TrainerError, UsageError
from trainer.some_names import some


class RayMissing(UsageError):
    """--engine ray without the package, or with one that is too old."""

    def __init__(self) -> None:
        super().__init__(
            "--engine ray: the package ray is not installed, or older than 2.58. Install it on this machine and on "
            'every node of the cluster: pip install "ray[data]" -c requirements/tested.txt'
        )


class ClusterUnreachable(UsageError):
    """There is no Ray cluster there, or none could be started."""

    def __init__(self, address: str | None, detail: str) -> None:
        where = f"--ray-address {address}" if address else "--engine ray"
        super().__init__(
            f"{where}: no cluster can be had ({detail}). Expected one whose head was started with `ray start --head`, "
            "with the Ray and Python of this machine, and this machine as one of its nodes."
        )


class ClusterTooSmall(UsageError):
    """No node has what a worker takes."""

    def __init__(self, cpus: int, gpus: float) -> None:
        super().__init__(
            f"a worker takes {cpus} CPUs and {gpus:g} GPUs, and this machine does not have them. Lower "
            "--ray-cpus-per-worker or --ray-gpus-per-worker, or name a cluster with --ray-address."
        )


class WorkersDiffer(UsageError):
    """What a worker would compute is not what this run asks for: another package, another processor."""

    def __init__(self, node: str, differences: Mapping[str, tuple[object, object]]) -> None:
        listed = [f"{name} {here}, there {there}" for name, (here, there) in differences.items()]
        super().__init__(
            f"node {node} of the cluster would compute other features than this machine: {some(listed)}. Install the "
            "same packages everywhere (requirements/tested.txt), best by one container image."
        )


class WorkerWithoutFiles(UsageError):
    """A worker does not see a file or folder that this machine sees."""

    def __init__(self, node: str, path: str, detail: str, advice: str) -> None:
        super().__init__(f"node {node} of the cluster does not see {path} as this machine does ({detail}). {advice}")


class WorkerCannotCompute(UsageError):
    """A worker has no session, or cannot store what it computes."""

    def __init__(self, node: str, detail: str) -> None:
        super().__init__(f"node {node} of the cluster: {detail}")


class NoProgress(TrainerError):
    """Ray waited for half an hour, and nothing was done."""

    def __init__(self, room: str) -> None:
        super().__init__(
            f"the cluster has done nothing for half an hour. {room} Expected a node with room for a worker, and "
            "pictures that do not end the process that opens them; see `ray status`, and Ray's logs below /tmp/ray on "
            "the nodes. What was computed is kept, and the same command goes on from there."
        )


class WorkersWithoutCode(UsageError):
    """The program has connected to Ray by itself, and workers do not have the code of this run."""

    def __init__(self) -> None:
        super().__init__(
            "the workers of the cluster do not have the code of this run (No module named 'trainer'): this program has "
            "connected to Ray by itself. Expected ray.init(runtime_env=trainer.ray_cluster.code_of_this_run()), or no "
            "connection: featurising then makes one, and the code goes along."
        )


class WorkersFailed(TrainerError):
    """Ray gave up."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the workers failed: {detail}. What was computed is kept, and the same command goes on from there. Where "
            "nodes run out of memory, take fewer workers (--ray-workers) or more CPUs for each (--ray-cpus-per-worker);"
            " Ray's own logs are below /tmp/ray on the nodes."
        )


class RayCacheUnusable(UsageError):
    """The address that workers write to cannot be written or read."""

    def __init__(self, address: str, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"--ray-cache {address}: cannot be used ({detail}). Expected an address that this machine and every node "
            "of the cluster may read and write; check the address, the access rights and the network."
        )
