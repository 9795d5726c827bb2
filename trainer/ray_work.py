"""What a worker of a Ray cluster does: a lot of pictures, featurised and stored as this machine would do it.

The functions are those of the local engine, from the file's bytes to the part of the cache. A lot's rows, and their
order, follow from the lot; a part is named after its bytes. So a lot that Ray gives out again, because a node went
away after it was written, writes the same files once more.
"""

import json
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.cpu_features import read_cpu
from shared.errors import SessionError
from trainer.engines import OnnxEngine
from trainer.errors.caches import CacheNotWritable
from trainer.errors.clusters import RayCacheUnusable
from trainer.fingerprint import fingerprint_of, int8_on, what_statistics_depend_on
from trainer.picture_rows import rows_of
from trainer.ray_lots import Lot, LotResult, Plan, Trouble
from trainer.ray_parts import DistantParts
from trainer.row_store import Caches, open_caches, store_rows
from trainer.statistics_cache import StatisticsCache

if TYPE_CHECKING:
    import pyarrow as pa


class _CannotBegin(Exception):
    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble


@dataclass(frozen=True)
class _Worker:
    """What a process keeps from lot to lot.

    Attributes:
        engine: with an open session.
        caches: where rows go.
        folder: of the caches.
        distant: where parts go from there; the folder is then no cache of its own, and gone between lots.
    """

    engine: OnnxEngine
    caches: Caches
    folder: Path
    distant: DistantParts | None


def featurize_lot(table: "pa.Table", plan: Plan) -> "pa.Table":
    """Featurise, measure and store the pictures of a lot; a row that tells what became of it."""
    lot = Lot.from_table(table)
    try:
        return _carry_out(lot, plan, _open(_Key(plan))).as_table()
    except _CannotBegin as error:
        return LotResult(lot.number, node_name(), trouble=error.trouble).as_table()
    except (CacheNotWritable, RayCacheUnusable) as error:
        return LotResult(lot.number, node_name(), trouble=Trouble("cannot write", str(error))).as_table()


def node_name() -> str:
    """The machine, as its administrator would find it."""
    import ray

    return f"{socket.gethostname()} ({ray.util.get_node_ip_address()})"


def _carry_out(lot: Lot, plan: Plan, worker: _Worker) -> LotResult:
    rows = rows_of(
        lot.samples,
        worker.engine,
        plan.spec,
        threads=plan.threads,
        wanted=lambda sample: lot.wanted.get(sample.digest, ()),
        measured=plan.measured,
    )
    measured = lot.measured if plan.measured else frozenset(sample.digest for sample in lot.samples)
    try:
        refused = store_rows(zip(lot.samples, rows, strict=True), worker.caches, missing=lot.wanted, measured=measured)
        written = tuple(worker.distant.put(worker.folder)) if worker.distant else ()
    finally:
        if worker.distant:
            shutil.rmtree(worker.folder, ignore_errors=True)
    return LotResult(lot.number, node_name(), refused, written)


class _Key:
    """A plan as what is opened for it is found again: by what it asks for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.plan.key == other.plan.key

    def __hash__(self) -> int:
        return hash(self.plan.key)


@lru_cache(maxsize=1)
def _open(key: _Key) -> _Worker:
    """Open the session and the caches; once for a process, which takes many lots."""
    plan = key.plan
    import ray

    if plan.parts is None and not Path(plan.cache_dir, plan.marker).exists():
        raise _CannotBegin(Trouble("sees no cache", plan.cache_dir))
    graph: bytes = ray.get(plan.graph)
    try:
        engine = OnnxEngine(graph, provider=plan.provider)
    except SessionError as error:
        raise _CannotBegin(Trouble("session", str(error))) from error
    # Nobody tidies up after a process that Ray ends, so the folder of its own is there for no longer than a lot.
    own = Path(tempfile.gettempdir(), f"finial-{secrets.token_hex(8)}")
    folder = own if plan.parts else Path(plan.cache_dir)
    caches = _open_caches(plan, graph, engine, folder)
    return _Worker(engine, caches, folder, DistantParts(plan.parts) if plan.parts else None)


def _open_caches(plan: Plan, graph: bytes, engine: OnnxEngine, folder: Path) -> Caches:
    wanted: list[dict[str, Any]] = json.loads(plan.what)
    precision = int8_on(read_cpu()) if wanted[0]["precision"].startswith("int8") else wanted[0]["precision"]
    fingerprint = fingerprint_of(what_statistics_depend_on(plan.spec))
    caches = open_caches(
        folder,
        graph,
        plan.spec,
        engine.feature_size,
        engine=engine.identity,
        precision=precision,
        statistics=StatisticsCache(folder, fingerprint) if plan.measured else None,
        warn=lambda _sentence: None,  # it only writes
    )
    found = json.loads(json.dumps(caches.what))
    if differences := dict(chain.from_iterable(map(_differences, wanted, found))):
        raise _CannotBegin(Trouble("differs", differences))
    return caches


def _differences(wanted: Any, found: Any, name: str = "") -> Iterator[tuple[str, tuple[object, object]]]:
    """By name, the value that is wanted and the one that was found."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            yield from _differences(wanted.get(key), found.get(key), f"{name} {key}".strip())
    elif wanted != found:
        yield name, (wanted, found)
