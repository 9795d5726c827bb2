"""The options of `--engine ray`: which cluster, how many workers, what each of them takes."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shared.addresses import is_address, names_a_machine
from shared.settings import FinialSettings

RAY = "ray"
EngineName = Literal["onnxruntime", "torch", "ray"]

Workers = Annotated[int, Field(ge=1, le=100_000)]
CpusPerWorker = Annotated[int, Field(ge=1, le=1024)]
GpusPerWorker = Annotated[float, Field(gt=0, le=64)]


def require_cluster_address(value: str) -> str:
    """The address of a cluster, if it is one.

    Raises:
        ValueError: it is that of a client, such as ray://head:10001.
    """
    if is_address(value):
        raise ValueError(
            "expected auto, or host:port of the cluster's head; the trainer runs on a node of the cluster, not as a "
            "client from outside"
        )
    return value


def _require_address(value: str) -> str:
    if not is_address(value) or names_a_machine(value):
        raise ValueError(
            "expected an address such as s3://bucket/features or file:///mnt/features; a folder that all nodes see "
            "is given by --cache-dir"
        )
    return value.rstrip("/")


@dataclass(frozen=True)
class RayOptions:
    """How a run uses Ray.

    Attributes:
        address: of the cluster's head, "auto" for the one this machine belongs to; None starts one of this machine.
        workers: at most so many at once; None is as many as the cluster has room for.
        cpus_per_worker: that a worker takes; it works on so many pictures at once.
        gpus_per_worker: that it takes; 0 computes on CPUs.
        cache: address where workers write what they compute; None is the folder of the cache.
        cpus_here: of a cluster that is started on this machine.
    """

    address: str | None = None
    workers: int | None = None
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    cache: str | None = None
    cpus_here: int = 1


def computed_by(engine: EngineName) -> EngineName:
    """The engine that a bundle names: a worker of a cluster computes with ONNX Runtime, as this machine would."""
    return "onnxruntime" if engine == RAY else engine


class RaySettings(FinialSettings):
    """What `--engine ray` is told. None is "not given"."""

    ray_address: Annotated[str, AfterValidator(require_cluster_address)] | None = Field(
        None, description="The cluster: host:port of its head, or auto; default: RAY_ADDRESS, else this machine alone."
    )
    ray_workers: Workers | None = Field(
        None, description="Workers at once, at most; default: as many as the cluster has room for."
    )
    ray_cpus_per_worker: CpusPerWorker | None = Field(
        None, description="CPUs of a worker, which is how many pictures it works on at once; default 1."
    )
    ray_gpus_per_worker: GpusPerWorker | None = Field(
        None, description="GPUs of a worker, such as 1 or 0.5; default: none, workers compute on CPUs."
    )
    ray_cache: Annotated[str, AfterValidator(_require_address)] | None = Field(
        None, description="Address such as s3://bucket/features that workers write to, where they do not see CACHE_DIR."
    )

    def options_of_ray(self, *, threads: int) -> RayOptions:
        """What was given, with the defaults for the rest.

        Args:
            threads: CPUs of a cluster that is started on this machine, unless the workers ask for more.
        """
        cpus = self.ray_cpus_per_worker or 1
        return RayOptions(
            address=self.ray_address,
            workers=self.ray_workers,
            cpus_per_worker=cpus,
            gpus_per_worker=self.ray_gpus_per_worker or 0.0,
            cache=self.ray_cache,
            cpus_here=max(threads, cpus * (self.ray_workers or 1)),
        )

    def check_ray(self, engine: str, *, provider: str, precision: str) -> None:
        """Refuse options that would be passed over, or cannot be had together.

        Raises:
            ValueError: it names the options by their flags.
        """
        given = [name for name in RAY_OPTIONS if getattr(self, name) is not None]
        if engine != RAY:
            if given:
                flag = f"--{given[0].replace('_', '-')}"
                raise ValueError(f"{flag} is an option of --engine ray: add that, or leave {flag} out")
            return
        if provider == "cuda" and self.ray_gpus_per_worker is None:
            raise ValueError("--provider cuda: with --engine ray the workers compute; add --ray-gpus-per-worker 1")
        if provider == "cpu" and self.ray_gpus_per_worker is not None:
            raise ValueError("--ray-gpus-per-worker: --provider cpu uses no GPU; leave one of them out")
        if self.ray_gpus_per_worker is not None and precision != "float32":
            raise ValueError(f"--precision {precision}: int8 computes on CPUs; leave out --ray-gpus-per-worker")


RAY_OPTIONS = tuple(name for name in RaySettings.model_fields if name not in FinialSettings.model_fields)
"""Names of the options that are only about Ray."""
