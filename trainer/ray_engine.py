"""The engine of `--engine ray`: Ray Data hands lots of pictures to workers, which compute and store them."""

import contextlib
import json
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from shared.session import CPU, CUDA
from trainer.counting import counted
from trainer.engines import OnnxEngine, onnx_identity
from trainer.errors.clusters import WorkersFailed
from trainer.part_store import writable
from trainer.picture_rows import Rendering
from trainer.progress import Progress
from trainer.ray_checks import require_done
from trainer.ray_cluster import Room, connected, room_in
from trainer.ray_lots import LotResult, Plan, lot_size, lots_of
from trainer.ray_marker import look_again, marked
from trainer.ray_parts import DistantParts, was_forgotten
from trainer.ray_settings import RayOptions
from trainer.ray_tasks import results_of
from trainer.row_store import Caches
from trainer.samples import Sample


class RayEngine:
    """Workers of a Ray cluster, each of which computes as the local engine does, and stores what it computes.

    Its features are the local engine's: they have its name in the cache, and are found there by either.

    Args:
        graph: of `backbone_graph`.
        options: which cluster, and what a worker takes of it.

    Raises:
        RayCacheUnusable, ExtraMissing: the address that workers write to cannot be used.

    Attributes:
        identity: of the workers' engines.
        batch_size: 1, as theirs.
        feature_size: D.
        workers: how many there were room for when work began; 0 before.
    """

    def __init__(self, graph: bytes, options: RayOptions) -> None:
        self._graph = graph
        self._options = options
        self._distant = DistantParts(options.cache) if options.cache else None
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

    def fetch_dropped(self, caches: Caches) -> bool:
        """Do so once more where a part was damaged and dropped since; whether there was any."""
        if self._distant is None or not was_forgotten(_folders_of(caches)):
            return False
        self._fetch(caches)
        return True

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
            RayCacheUnusable: what a node writes to the address does not arrive there.
            NoProgress, WorkersWithoutCode, WorkersFailed: Ray gave up, or lost a lot.
        """
        with connected(self._options, graph_bytes=len(self._graph)) as ray, marked(caches) as marker:
            room = room_in(ray, self._options)
            self.workers = max(1, room.workers)
            _tell(room, self._options, progress)
            renderings = max(map(len, wanted.values()), default=1)
            size = lot_size(len(lacking), workers=self.workers, renderings=renderings)
            plan = self._plan(ray.put(self._graph), spec, caches, marker)
            # One by one into Ray's store, so that this process holds them no second time.
            tables = (lot.as_table() for lot in lots_of(lacking, size, wanted=wanted, measured=measured))
            lots = ray.data.from_arrow_refs([ray.put(table) for table in tables])
            unseen, written, nodes = set(range(-(-len(lacking) // size))), set[str](), set[str]()
            with contextlib.closing(results_of(ray, lots, plan, self._options, size, room)) as results:
                for result in results:
                    samples = lacking[result.number * size : (result.number + 1) * size]
                    require_done(result, samples, plan.cache_dir)
                    if result.written and result.node not in nodes:
                        self._require_found(result)
                        nodes.add(result.node)
                    if result.number not in unseen:
                        raise WorkersFailed(f"lot {result.number} came back twice")
                    unseen.remove(result.number)
                    written.update(result.written)
                    yield [(sample, result.refused.get(sample.digest, "")) for sample in samples]
            if unseen:
                raise WorkersFailed(f"{counted(len(unseen), 'lot')} of pictures did not come back")
        self._fetch(caches, anew=written)
        if self._distant is None:
            look_again(_folders_of(caches))

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

    def _require_found(self, result: LotResult) -> None:
        """What a node has put at the address is there for this machine; else nothing would be, after all is computed.

        Raises:
            RayCacheUnusable: it is not.
        """
        if self._distant is not None and not self._distant.has(result.written[0]):
            raise self._distant.lacks(result.written[0], by=f"node {result.node}")

    def _fetch(self, caches: Caches, anew: Collection[str] = ()) -> None:
        if self._distant is not None:
            with writable(caches.cache_dir):
                self._distant.fetch(_folders_of(caches), cache_dir=caches.cache_dir, anew=anew)


def _folders_of(caches: Caches) -> list[Path]:
    folders = [caches.features.folder, caches.augmented.folder]
    return folders if caches.statistics is None else [*folders, caches.statistics.folder]


def _tell(room: Room, options: RayOptions, progress: Progress) -> None:
    sentence = f"Ray: {room.in_words(options)}"
    if room.workers:
        progress.say(sentence, nodes=room.nodes, workers=room.workers)
    else:
        waits = "Waiting for a node to come that has room for one, half an hour at most."
        progress.warn(f"{sentence} {waits}", nodes=room.nodes, workers=0)
