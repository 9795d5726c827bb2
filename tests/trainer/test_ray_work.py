"""What a worker checks before it computes, and what a run says without a cluster."""

import json
import logging
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.test_completion import caches_in
from tests.trainer.test_featurize import write_picture
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.completion import by_digest, complete
from trainer.engines import OnnxEngine
from trainer.errors.clusters import ClusterTooSmall, ClusterUnreachable, RayCacheUnusable, RayMissing, WorkersFailed
from trainer.featurize import featurize
from trainer.progress import Quiet
from trainer.ray_cluster import connected, room_in
from trainer.ray_engine import RayEngine
from trainer.ray_lots import Lot, LotResult, Plan, results_in
from trainer.ray_settings import RayOptions
from trainer.samples import Sample


def test_without_the_package_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    sample = write_picture(tmp_path / "data" / "one.png", 5)

    with pytest.raises(
        RayMissing, match=r'not installed, or older .*pip install "ray\[data\]" -c requirements/tested\.txt'
    ):
        featurize([sample], tiny_graph(), TINY_SPEC, cache_dir=tmp_path / "cache", engine="ray")


@pytest.mark.filterwarnings("ignore")  # of Ray about itself
def test_a_package_that_waits_for_ever_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would learn that no node has room for a worker."""
    pytest.importorskip("ray", reason="the engine `ray` needs the package ray, which is not installed here")
    monkeypatch.delattr("ray.data.exceptions.ExecutionTimeoutError")

    with pytest.raises(RayMissing, match=r"older than 2\.58"), connected(RayOptions("auto"), graph_bytes=0):
        pytest.fail("connected")


@pytest.mark.filterwarnings("ignore")  # of Ray about itself
def test_a_program_that_has_connected_by_itself_keeps_its_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of Ray Data are not told while features are computed, and are again afterwards."""
    data = pytest.importorskip("ray.data", reason="the engine `ray` needs the package ray, which is not installed here")
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    notes = logging.StreamHandler()
    notes.setLevel(logging.INFO)
    logging.getLogger("ray.data").addHandler(notes)
    before = data.DataContext.get_current().copy()
    try:
        with connected(RayOptions("auto"), graph_bytes=0):
            assert notes.level > logging.CRITICAL
    finally:
        logging.getLogger("ray.data").removeHandler(notes)

    after = data.DataContext.get_current()
    assert notes.level == logging.INFO
    assert (after.enable_progress_bars, after.print_on_execution_start) == (
        before.enable_progress_bars,
        before.print_on_execution_start,
    )


def test_a_worker_leaves_nothing_in_its_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray ends it without a word, so what it has is gone with each lot; the next one begins anew."""
    pytest.importorskip("ray", reason="the engine `ray` needs the package ray, which is not installed here")
    from trainer.ray_work import featurize_lot

    monkeypatch.setattr("ray.get", lambda graph: graph)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    samples = [write_picture(tmp_path / "data" / f"{number}.png", number) for number in range(2)]
    plan = Plan(
        graph=tiny_graph(),
        spec=TINY_SPEC,
        provider="cpu",
        threads=1,
        what=json.dumps(caches_in(tmp_path).what),
        cache_dir=str(tmp_path / "cache"),
        marker=str(tmp_path),
        parts=f"file://{tmp_path}/far",
        measured=True,
    )
    lots = [Lot(number, (one,), {one.digest: (None,)}, frozenset()) for number, one in enumerate(samples)]

    found = [result for lot in lots for result in results_in(featurize_lot(lot.as_table(), plan))]

    assert [(len(result.written), result.trouble) for result in found] == [(2, None), (2, None)]
    assert len(list((tmp_path / "far").rglob("part-*"))) == 4
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_worker_that_sees_another_folder_stores_nothing(tmp_path: Path) -> None:
    """A path that is there on every node, and shared by none, would swallow all that is computed."""
    pytest.importorskip("ray", reason="the engine `ray` needs the package ray, which is not installed here")
    from trainer.ray_work import featurize_lot

    sample = write_picture(tmp_path / "data" / "one.png", 5)
    what = json.dumps(caches_in(tmp_path).what)
    plan = Plan(
        graph=None,
        spec=TINY_SPEC,
        provider="cpu",
        threads=1,
        what=what,
        cache_dir=str(tmp_path / "cache"),
        marker="features/x/.ray-run-0",
        parts=None,
        measured=True,
    )

    (found,) = results_in(featurize_lot(Lot(3, (sample,), {sample.digest: (None,)}, frozenset()).as_table(), plan))

    assert found.number == 3 and found.trouble is not None and found.trouble.kind == "sees no cache"
    assert not (tmp_path / "cache").exists()


class Cluster:
    """A cluster with nodes of these resources."""

    def __init__(self, *nodes: dict[str, float], alive: bool = True) -> None:
        self._nodes = [{"Alive": alive, "Resources": node} for node in nodes]

    def nodes(self) -> list[dict[str, object]]:
        return list(self._nodes)


@pytest.mark.parametrize(
    ("options", "room"),
    [
        (RayOptions("auto"), 9),
        (RayOptions("auto", workers=4), 4),
        (RayOptions("auto", workers=40), 9),
        (RayOptions("auto", cpus_per_worker=2), 4),
        (RayOptions("auto", gpus_per_worker=0.5), 4),
        (RayOptions("auto", gpus_per_worker=4), 0),  # a node with as many may be on its way
    ],
)
def test_as_many_workers_as_fit_on_the_nodes(options: RayOptions, room: int) -> None:
    cluster = Cluster({"CPU": 3.0}, {"CPU": 6.0, "GPU": 2.0}, {"memory": 1e9})

    found = room_in(cluster, options)

    assert (found.nodes, found.workers) == (3, room)
    assert (found.largest, found.most_gpus) == (((6.0, 2.0), (3.0, 0.0), (0.0, 0.0)), 2.0)


def test_a_machine_alone_that_is_too_small_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other one will come."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    with pytest.raises(ClusterTooSmall, match="a worker takes 8 CPUs and 0 GPUs, and this machine does not have them"):
        room_in(Cluster({"CPU": 4.0}), RayOptions(cpus_per_worker=8))


@pytest.mark.filterwarnings("ignore")  # of Ray about itself
def test_an_address_of_a_client_in_the_environment_is_refused_as_the_flag_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="the engine `ray` needs the package ray, which is not installed here")
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")

    with pytest.raises(ClusterUnreachable, match="expected auto, or host:port"), connected(RayOptions(), graph_bytes=0):
        pytest.fail("connected as a client")


class Rayless(Cluster):
    """What `connected` gives, of which nothing reaches a cluster; `data` is Ray Data's name."""

    @property
    def data(self) -> "Rayless":
        return self

    def put(self, _value: object) -> None:
        """Nobody fetches it."""

    def from_arrow_refs(self, _tables: object) -> None:
        """Nobody reads them."""


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [([0, 1], "1 lot of pictures did not come back"), ([0, 1, 1, 2], "lot 1 came back twice")],
)
def test_a_lot_that_comes_not_once_ends_the_run(
    numbers: list[int], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that was refused in it would else be looked for among the features, or counted twice."""
    samples = [Sample(f"/{number}", f"{number}", "label", f"{number:064}", None) for number in range(40)]
    monkeypatch.setattr("trainer.ray_engine.connected", lambda *_, **__: nullcontext(Rayless({"CPU": 2.0})))
    monkeypatch.setattr("trainer.ray_engine.results_of", lambda *_: (LotResult(number, "node") for number in numbers))
    outcomes = RayEngine(tiny_graph(), RayOptions("auto")).outcomes(
        samples, TINY_SPEC, caches_in(tmp_path), wanted={}, measured=set(), progress=Quiet()
    )

    with pytest.raises(WorkersFailed, match=complaint):
        list(outcomes)


def test_an_address_that_this_machine_does_not_share_is_told_with_the_first_lot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not hours later, when everything was computed and nothing is there. Each node is asked: some may share it."""
    samples = [Sample(f"/{number}", f"{number}", "label", f"{number:064}", None) for number in range(80)]
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "seen").touch()
    lots = [LotResult(0, "one", written=("seen",)), LotResult(1, "two", written=("elsewhere",)), LotResult(2, "two")]
    monkeypatch.setattr("trainer.ray_engine.connected", lambda *_, **__: nullcontext(Rayless({"CPU": 2.0})))
    monkeypatch.setattr("trainer.ray_engine.results_of", lambda *_: (lot for lot in lots))
    outcomes = RayEngine(tiny_graph(), RayOptions("auto", cache=f"file://{tmp_path}/far")).outcomes(
        samples, TINY_SPEC, caches_in(tmp_path), wanted={}, measured=set(), progress=Quiet()
    )

    assert len(next(outcomes)) == 16
    with pytest.raises(RayCacheUnusable, match=r"node two has written elsewhere to it, and this machine does not find"):
        next(outcomes)


def test_after_the_last_lot_the_folders_are_listed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network disk may remember what was in them before workers wrote."""
    caches = caches_in(tmp_path)
    caches.augmented.folder.mkdir(parents=True)
    os.utime(caches.augmented.folder, (1e9, 1e9))
    monkeypatch.setattr("trainer.ray_engine.connected", lambda *_, **__: nullcontext(Rayless({"CPU": 2.0})))
    monkeypatch.setattr("trainer.ray_engine.results_of", lambda *_: (one for one in [LotResult(0, "node")]))
    sample = Sample("/0", "0", "label", "0" * 64, None)

    list(
        RayEngine(tiny_graph(), RayOptions("auto")).outcomes(
            [sample], TINY_SPEC, caches, wanted={}, measured=set(), progress=Quiet()
        )
    )

    assert caches.augmented.folder.stat().st_mtime > 1e9


def test_what_was_damaged_here_is_fetched_once_more_and_needs_no_cluster(tmp_path: Path) -> None:
    """It lies at the address; the parts that were fetched have been joined here, and the joined one is lost."""
    samples = by_digest(write_picture(tmp_path / "data" / f"{number}.png", number) for number in range(3))
    for sample in samples.values():
        complete({sample.digest: sample}, OnnxEngine(tiny_graph(), provider="cpu"), **_arguments(tmp_path / "far"))
    nobody = RayOptions("127.0.0.1:1", cache=f"file://{tmp_path}/far/cache")
    here = _arguments(tmp_path / "here")
    assert complete(samples, RayEngine(tiny_graph(), nobody), **here).featurized == 0
    here["caches"].features.compact()
    (joined,) = here["caches"].features.folder.glob("part-*")
    joined.write_bytes(b"damaged")

    assert complete(samples, RayEngine(tiny_graph(), nobody), **here).featurized == 0
    assert here["caches"].missing(samples, ()) == {}


def _arguments(folder: Path) -> dict[str, Any]:
    return {"spec": TINY_SPEC, "caches": caches_in(folder), "threads": 1, "progress": Quiet()}


def test_a_cluster_without_room_is_told_with_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray waits without a word."""
    progress = Quiet()
    ray = Rayless({"CPU": 4.0}, {"CPU": 8.0, "GPU": 1.0})
    monkeypatch.setattr("trainer.ray_engine.connected", lambda *_, **__: nullcontext(ray))
    monkeypatch.setattr("trainer.ray_engine.results_of", lambda *_: (one for one in ()))
    options = RayOptions("auto", gpus_per_worker=2)

    with pytest.raises(WorkersFailed):
        list(
            RayEngine(tiny_graph(), options).outcomes(
                [Sample("/0", "0", "label", "0" * 64, None)],
                TINY_SPEC,
                caches_in(tmp_path),
                wanted={},
                measured=set(),
                progress=progress,
            )
        )

    (warning,) = progress.warnings
    assert "2 nodes, 0 workers of 1 CPU and 2 GPU each. The largest nodes have 8 CPUs and 1 GPUs, 4 CPUs" in warning
    assert warning.endswith("Waiting for a node to come that has room for one, half an hour at most.")
