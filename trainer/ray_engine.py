"""The engine of `--engine ray`: Ray Data hands lots of pictures to workers, which compute and store them."""

import contextlib
import json
import os
import secrets
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from shared.session import CPU, CUDA
from trainer.counting import counted
from trainer.engines import OnnxEngine, onnx_identity
from trainer.errors.clusters import NoProgress, WorkerCannotCompute, WorkersDiffer, WorkersFailed, WorkerWithoutFiles
from trainer.part_store import writable
from trainer.picture_rows import CANNOT_READ, Rendering
from trainer.progress import Progress
from trainer.ray_cluster import Room, connected, room_in
from trainer.ray_lots import LotResult, Plan, lot_size, lots_of, results_in
from trainer.ray_parts import DistantParts
from trainer.ray_settings import RayOptions
from trainer.row_store import Caches
from trainer.samples import Sample

_SHARE_CACHE = (
    "Put the cache on a disk that all nodes share, under one path (--cache-dir), or name an address that all may write "
    "to: --ray-cache s3://bucket/features."
)
_SHARE_DATA = (
    "Put the pictures on a disk that all nodes share, under one path. Those of an address such as s3:// lie in the "
    "cache's folder, so let all nodes share that: --cache-dir."
)


class RayEngine:
    """Workers of a Ray cluster, each of which computes as the local engine does, and stores what it computes.

    Its features are the local engine's: they have its name in the cache, and are found there by either.

    Args:
        graph: of `backbone_graph`.
        options: which cluster, and what a worker takes of it.

    Attributes:
        identity: of the workers' engines.
        batch_size: 1, as theirs.
        feature_size: D.
        workers: how many there were room for when work began; 0 before.
    """

    def __init__(self, graph: bytes, options: RayOptions) -> None:
        self._graph = graph
        self._options = options
        self._here = OnnxEngine(graph, provider="cpu")
        self.identity = onnx_identity(CUDA if options.gpus_per_worker else CPU)
        self.batch_size = 1
        self.feature_size = self._here.feature_size
        self.workers = 0

    def single_threaded(self) -> AbstractContextManager[None]:
        """It never computes in any other way."""
        return self._here.single_threaded()

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, D) of pixels (N, H, W, 3), on a CPU of this machine: for a few, to see how long they take."""
        return self._here.run(images)

    def fetch_known(self, caches: Caches) -> None:
        """Bring here what workers have put elsewhere, in this run or an earlier one."""
        self._fetch(caches)

    def outcomes(
        self,
        lacking: Sequence[Sample],
        spec: PreprocessSpec,
        caches: Caches,
        *,
        wanted: Mapping[str, Sequence[Rendering]],
        measured: Collection[str],
        progress: Progress,
    ) -> Generator[list[tuple[Sample, str]], None, None]:
        """Have pictures computed and stored: lot by lot as they are done, each with why it cannot be used, or "".

        Args:
            lacking: pictures, no content twice.
            spec: how pixels are prepared.
            caches: where rows go.
            wanted: renderings to featurise, by digest.
            measured: digests of pictures whose statistics are known.
            progress: told how many workers there are.

        Raises:
            RayMissing, ClusterUnreachable, ClusterTooSmall: there is no cluster.
            WorkersDiffer, WorkerWithoutFiles, WorkerCannotCompute: a worker cannot begin.
            NoProgress, WorkersFailed: Ray gave up, or lost a lot.
        """
        with connected(self._options, graph_bytes=len(self._graph)) as ray, _marked(caches) as marker:
            room = room_in(ray, self._options)
            self.workers = max(1, room.workers)
            _tell(room, self._options, progress)
            renderings = max(map(len, wanted.values()), default=1)
            size = lot_size(len(lacking), workers=self.workers, renderings=renderings)
            plan = self._plan(ray.put(self._graph), spec, caches, marker)
            # Ray has them in its store, so nobody keeps the list.
            lots = ray.data.from_arrow(
                [lot.as_table() for lot in lots_of(lacking, size, wanted=wanted, measured=measured)]
            )
            unseen, written = set(range(-(-len(lacking) // size))), set[str]()
            with contextlib.closing(_run(ray, lots, plan, self._options, size, room)) as results:
                for result in results:
                    samples = lacking[result.number * size : (result.number + 1) * size]
                    _require_done(result, samples, plan.cache_dir)
                    if result.number not in unseen:
                        raise WorkersFailed(f"lot {result.number} came back twice")
                    unseen.remove(result.number)
                    written.update(result.written)
                    yield [(sample, result.refused.get(sample.digest, "")) for sample in samples]
            if unseen:
                raise WorkersFailed(f"{counted(len(unseen), 'lot')} of pictures did not come back")
        self._fetch(caches, anew=written)

    def _plan(self, graph: Any, spec: PreprocessSpec, caches: Caches, marker: str) -> Plan:
        return Plan(
            graph=graph,
            spec=spec,
            provider="cuda" if self._options.gpus_per_worker else "cpu",
            threads=self._options.cpus_per_worker,
            what=json.dumps(caches.what),
            cache_dir=str(caches.cache_dir.resolve()),
            marker=marker,
            parts=self._options.cache,
            measured=caches.statistics is not None,
        )

    def _fetch(self, caches: Caches, anew: Collection[str] = ()) -> None:
        if self._options.cache is None:
            return
        folders = [caches.features.folder, caches.augmented.folder]
        if caches.statistics is not None:
            folders.append(caches.statistics.folder)
        with writable(caches.cache_dir):
            DistantParts(self._options.cache).fetch(folders, cache_dir=caches.cache_dir, anew=anew)


def _run(
    ray: Any, lots: Any, plan: Plan, options: RayOptions, size: int, room: Room
) -> Generator[LotResult, None, None]:
    """Results as they come, in any order. Ray spreads the lots, and gives out again what a lost node had.

    A picture that ends every process that opens it is given out until Ray sees no progress for half an hour.

    Workers are tasks, not actors: an actor whose node is lost waits for room to be started again, and what was given to
    it waits with it, for ever where there is no other room. A process keeps its session from task to task all the same.
    """
    from trainer.ray_work import featurize_lot

    results = lots.map_batches(
        featurize_lot,
        batch_size=size,
        batch_format="pyarrow",
        fn_kwargs={"plan": plan},
        compute=ray.data.TaskPoolStrategy(size=options.workers),
        num_cpus=options.cpus_per_worker,
        num_gpus=options.gpus_per_worker or None,
        max_calls=0,  # else a process on a GPU ends with each lot, and opens its session anew for the next
    )
    try:
        for batch in results.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from results_in(batch)
    except Exception as error:  # of Ray, and of what ran in it
        if type(error).__name__ == "ExecutionTimeoutError":
            raise NoProgress(_in_words(room, options)) from error
        raise WorkersFailed(_last_line(error)) from error


def _last_line(error: Exception) -> str:
    """What was raised on a worker is the last line of what Ray makes of it."""
    lines = str(error).strip().splitlines()
    return lines[-1].rstrip(".") if lines else type(error).__name__


def _require_done(result: LotResult, samples: Sequence[Sample], cache_dir: str) -> None:
    """The lot was computed, and what its worker could not read this machine cannot read either.

    Raises:
        WorkersDiffer, WorkerWithoutFiles, WorkerCannotCompute: it was not.
    """
    node, trouble = result.node, result.trouble
    if trouble is not None and trouble.kind == "differs":
        raise WorkersDiffer(node, trouble.detail)
    if trouble is not None and trouble.kind == "sees no cache":
        raise WorkerWithoutFiles(node, cache_dir, "there is no such folder, or another one", _SHARE_CACHE)
    if trouble is not None:
        raise WorkerCannotCompute(node, trouble.detail)
    for sample in samples:
        reason = result.refused.get(sample.digest, "")
        if reason.startswith(CANNOT_READ) and is_here(sample):
            raise WorkerWithoutFiles(node, sample.location, reason, _SHARE_DATA)


def is_here(sample: Sample) -> bool:
    """Whether this machine can read a picture's file."""
    return os.access(sample.path, os.R_OK)


def _tell(room: Room, options: RayOptions, progress: Progress) -> None:
    sentence = f"Ray: {_in_words(room, options)}"
    if room.workers:
        progress.say(sentence, nodes=room.nodes, workers=room.workers)
    else:
        waits = "Waiting for a node to come that has room for one, half an hour at most."
        progress.warn(f"{sentence} {waits}", nodes=room.nodes, workers=0)


def _in_words(room: Room, options: RayOptions) -> str:
    """A sentence: how many nodes and workers; where there is no worker, how large the largest nodes are."""
    each = counted(options.cpus_per_worker, "CPU")
    each += f" and {options.gpus_per_worker:g} GPU" if options.gpus_per_worker else ""
    found = f"{counted(room.nodes, 'node')}, {counted(room.workers, 'worker')} of {each} each."
    if room.workers:
        return found
    sizes = ", ".join(f"{cpus:g} CPUs and {gpus:g} GPUs" for cpus, gpus in room.largest)
    return f"{found} The largest nodes have {sizes or 'nothing'}."


@contextlib.contextmanager
def _marked(caches: Caches) -> Iterator[str]:
    """A file in the cache, relative to it, by which workers see that theirs is the same; removed afterwards."""
    folder = caches.features.folder
    marker = folder / f".ray-run-{secrets.token_hex(8)}"
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        marker.touch()
    try:
        yield marker.relative_to(caches.cache_dir).as_posix()
    finally:
        marker.unlink(missing_ok=True)
