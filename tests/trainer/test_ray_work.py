"""What a worker checks before it computes, and what a run says without a cluster."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.trainer.test_completion import caches_in
from tests.trainer.test_featurize import write_picture
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.errors.clusters import ClusterTooSmall, ClusterUnreachable, RayMissing, WorkersFailed
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

    with pytest.raises(RayMissing, match=r'pip install "ray\[data\]" -c requirements/tested\.txt'):
        featurize([sample], tiny_graph(), TINY_SPEC, cache_dir=tmp_path / "cache", engine="ray")


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
    assert found.largest == ((6.0, 2.0), (3.0, 0.0), (0.0, 0.0))


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

    def from_arrow(self, _tables: object) -> None:
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
    monkeypatch.setattr("trainer.ray_engine._run", lambda *_: (LotResult(number, "node") for number in numbers))
    outcomes = RayEngine(tiny_graph(), RayOptions("auto")).outcomes(
        samples, TINY_SPEC, caches_in(tmp_path), wanted={}, measured=set(), progress=Quiet()
    )

    with pytest.raises(WorkersFailed, match=complaint):
        list(outcomes)


def test_a_cluster_without_room_is_told_with_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray waits without a word."""
    progress = Quiet()
    ray = Rayless({"CPU": 4.0}, {"CPU": 8.0, "GPU": 1.0})
    monkeypatch.setattr("trainer.ray_engine.connected", lambda *_, **__: nullcontext(ray))
    monkeypatch.setattr("trainer.ray_engine._run", lambda *_: (one for one in ()))
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
