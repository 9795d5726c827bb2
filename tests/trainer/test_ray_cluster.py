"""`--engine ray` on a real cluster of this machine: a head, and two nodes of their own with a worker each.

It resumes, bears the loss of a node, and tells what is wrong with one. The first tests connect as a command does; the
others share a connection, as a program that has connected to Ray by itself would have it.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.process_tree import freeze, thaw, tree
from shared.files import sha256_of
from tests.service.running import ROOT
from tests.trainer.featurizing import digest_of
from tests.trainer.ray_nodes import PATIENCE_S, Nodes
from tests.trainer.ray_runs import GRAPH, locally, run, stored
from tests.trainer.test_completion import caches_in
from tests.trainer.test_featurize import sample_of, write_picture
from tests.trainer.tiny_graph import TINY_SPEC
from trainer.completion import Done, by_digest, complete
from trainer.engines import OnnxEngine
from trainer.errors.clusters import (
    ClusterUnreachable,
    NoProgress,
    WorkerCannotCompute,
    WorkersDiffer,
    WorkerWithoutFiles,
)
from trainer.featurize import featurize
from trainer.manifest import Sample
from trainer.pipeline import train
from trainer.progress import Quiet
from trainer.ray_cluster import code_of_this_run
from trainer.ray_engine import RayEngine
from trainer.ray_settings import RayOptions
from trainer.settings import TrainSettings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings are not ours to mend


@pytest.fixture(scope="module")
def connection(nodes: Nodes) -> Iterator[None]:
    """Of a program that has connected by itself, from the first test on that asks for it, to the end."""
    import ray

    ray.init(address=nodes.address, runtime_env=code_of_this_run(), log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return [write_picture(tmp_path / "data" / f"{number:03}.png", number) for number in range(90)]


def test_features_and_statistics_are_those_of_the_local_engine_bit_for_bit(
    samples: list[Sample], tmp_path: Path, nodes: Nodes
) -> None:
    """With pictures that cannot be used, which are told in the same words, and copies, which are computed once."""
    (tmp_path / "data" / "text.jpg").write_text("not a picture")
    (tmp_path / "data" / "cut.png").write_bytes(samples[0].path.read_bytes()[:-200])
    gone = write_picture(tmp_path / "data" / "gone.png", 200)
    gone.path.unlink()
    shutil.copy(samples[1].path, tmp_path / "data" / "copy.png")
    odd = os.fsdecode(str(tmp_path / "data").encode() + b"/odd-\xff.png")
    shutil.copy(samples[2].path, odd)
    Path(odd).write_bytes(write_picture(tmp_path / "data" / "other.png", 250).path.read_bytes())
    mixed = [gone, *samples, *(sample_of(tmp_path / "data" / name) for name in ("text.jpg", "cut.png", "copy.png"))]
    mixed.append(Sample(odd, "odd.png", "data", sha256_of(Path(odd).read_bytes()), None))
    progress = Quiet()

    found = run(mixed, tmp_path / "ray", nodes, progress=progress)
    wanted = locally(mixed, tmp_path / "local")

    assert digest_of(found) == digest_of(wanted)
    assert found.unreadable == wanted.unreadable and len(found.unreadable) == 3
    assert (found.featurized, found.from_cache) == (wanted.featurized, wanted.from_cache) == (91, 0)
    for what in ("features", "statistics"):
        assert set(stored(tmp_path / "ray", what).values()) == {1}
        assert stored(tmp_path / "ray", what) == stored(tmp_path / "local", what)
    assert progress.phases == [("featurize", 94)]
    assert "Ray: 3 nodes, 2 workers of 1 CPU each." in progress.said
    assert list((tmp_path / "ray").rglob(".ray-run-*")) == []


def test_nobody_at_the_address_is_said_with_what_is_expected(samples: list[Sample], tmp_path: Path) -> None:
    nobody = RayOptions(address="127.0.0.1:1")

    with pytest.raises(ClusterUnreachable, match=r"--ray-address 127\.0\.0\.1:1: no cluster .*ray start --head"):
        featurize(samples, GRAPH, TINY_SPEC, cache_dir=tmp_path / "cache", engine="ray", ray=nobody)


def test_a_warm_run_needs_no_cluster(samples: list[Sample], tmp_path: Path) -> None:
    locally(samples, tmp_path / "cache")

    nobody = RayOptions(address="127.0.0.1:1")
    found = featurize(samples, GRAPH, TINY_SPEC, cache_dir=tmp_path / "cache", engine="ray", ray=nobody)

    assert (found.featurized, found.from_cache) == (0, 90)


def test_training_makes_the_same_bundle(tmp_path: Path, nodes: Nodes) -> None:
    """Head and everything after it are the same bytes, so nothing new is published, and nobody asks for a cluster."""
    for number in range(60):
        write_picture(tmp_path / "data" / "dark" / f"{number:02}.png", number)
        write_picture(tmp_path / "data" / "light" / f"{number:02}.png", number + 100)
    values = {"data": tmp_path / "data", "models_dir": tmp_path / "models", "backbone": "nano", "threads": 2}

    here = train(TrainSettings.model_validate(values | {"cache_dir": tmp_path / "local"}), Quiet())
    with_ray = {"engine": "ray", "ray_address": nodes.address, "cache_dir": tmp_path / "ray", "keep_versions": 3}
    there = train(TrainSettings.model_validate(values | with_ray), Quiet())

    assert (there.unchanged, there.bundle.version) == (True, here.bundle.version)
    assert (there.featurized, there.from_cache) == (here.featurized, here.from_cache)
    assert there.bundle.metadata.settings["engine"] == "onnxruntime"
    assert not any(name.startswith("ray") for name in there.bundle.metadata.settings)


def test_an_interrupt_keeps_what_was_done_and_leaves_no_process(tmp_path: Path, nodes: Nodes) -> None:
    """On a cluster that the run has started for itself; as at a terminal, all its processes are interrupted."""
    for number in range(2000):
        write_picture(tmp_path / "data" / f"label-{number % 2}" / f"{number:03}.png", number)
    command = [sys.executable, "-m", "trainer", "train", str(tmp_path / "data"), "--engine", "ray", "--threads", "1"]
    command += ["--backbone", "nano", "--models-dir", str(tmp_path / "models"), "--cache-dir", str(tmp_path / "cache")]
    with (tmp_path / "stderr").open("w+") as told:
        running = subprocess.Popen(command, stderr=told, cwd=ROOT, start_new_session=True)
        deadline = time.monotonic() + PATIENCE_S
        while not stored(tmp_path / "cache") and time.monotonic() < deadline and running.poll() is None:
            time.sleep(0.05)
        family = tree(running.pid)
        os.killpg(running.pid, signal.SIGINT)
        code = running.wait(PATIENCE_S)
        told.seek(0)
        said = told.read()

    done = len(stored(tmp_path / "cache"))
    assert code == 130 and said.splitlines()[-1].endswith("the same command goes on from there."), said
    assert 0 < done < 2000
    wait_until_ended(family)
    samples = [sample_of(path) for path in sorted((tmp_path / "data").rglob("*.png"))]
    assert {digest for digest, _ in stored(tmp_path / "cache")} < {sample.digest for sample in samples}


def is_running(pid: int) -> bool:
    """One that has ended, and that nobody has asked about, has no command any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def wait_until_ended(pids: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while running := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < deadline, f"still there: {running}"
        time.sleep(0.1)


@pytest.mark.usefixtures("connection")
def test_only_what_is_missing_is_featurised_whoever_computed_the_rest(
    samples: list[Sample], tmp_path: Path, nodes: Nodes
) -> None:
    """Both engines share what they know: a row says what computed it, not who handed it out."""
    cache = tmp_path / "cache"
    locally(samples[:30], cache)
    before = {path.name for path in (cache / "features").rglob("part-*")}

    found = run(samples, cache, nodes)

    new = [path for path in (cache / "features").rglob("part-*") if path.name not in before]
    assert (found.featurized, found.from_cache) == (60, 30)
    assert sum(pq.read_table(path).num_rows for path in new) == 60
    assert (locally(samples, cache).featurized, run(samples, cache, nodes).featurized) == (0, 0)


@pytest.mark.usefixtures("connection")
def test_views_are_rendered_by_the_workers_as_well(samples: list[Sample], tmp_path: Path, nodes: Nodes) -> None:
    def rendered(folder: Path, engine: str) -> tuple[Done, str]:
        here = caches_in(folder)
        computing = RayEngine(GRAPH, RayOptions()) if engine == "ray" else OnnxEngine(GRAPH, provider="cpu")
        done = complete(
            by_digest(samples),
            computing,
            TINY_SPEC,
            here,
            views=range(2),
            threads=2,
            progress=Quiet(),
        )
        values = [here.augmented.read(sorted(by_digest(samples)), str(view))[0] for view in range(2)]
        return done, hashlib.sha256(b"".join(one.tobytes() for one in values)).hexdigest()

    found, wanted = rendered(tmp_path / "ray", "ray"), rendered(tmp_path / "local", "local")

    assert found == wanted
    assert (found[0].featurized, found[0].rendered) == (90, 270)


@pytest.mark.usefixtures("connection")
def test_a_node_that_is_killed_half_way_loses_nothing_and_nothing_is_there_twice(tmp_path: Path, nodes: Nodes) -> None:
    """Ray gives what it had to the others; a lot that it had stored already is stored under the same name."""
    many = [write_picture(tmp_path / "data" / f"{number:04}.png", number) for number in range(1500)]
    third = nodes.add()
    cache, ended, done = tmp_path / "ray", threading.Event(), list[int]()

    def kill_at_work() -> None:
        """Look whether it has a lot while it stands still, so that this is so when it is killed."""
        while not ended.is_set() and not done:
            time.sleep(0.01)
            if nodes.has_a_lot(third) and any((cache / "features").rglob("part-*")):
                freeze(tree(third))
                if nodes.has_a_lot(third):
                    done.append(len(stored(cache)))
                    nodes.kill(third)
                else:
                    thaw(tree(third))

    watching = threading.Thread(target=kill_at_work)
    watching.start()
    try:
        found = run(many, cache, nodes)
    finally:
        ended.set()
        watching.join()
        if not done:
            nodes.kill(third)
    nodes.wait_for(3)

    assert len(done) == 1 and 0 < done[0] < len(many)
    assert digest_of(found) == digest_of(locally(many, tmp_path / "local"))
    assert (found.featurized, found.unreadable) == (1500, ())
    assert set(stored(cache).values()) == set(stored(cache, "statistics").values()) == {1}
    assert len(stored(cache)) == 1500


@pytest.mark.usefixtures("connection")
def test_workers_write_to_an_address_from_where_every_run_fetches(
    samples: list[Sample], tmp_path: Path, nodes: Nodes
) -> None:
    """So machines without a common disk share features, and a run on another machine computes nothing again."""
    far = f"file://{tmp_path}/far"

    found = run(samples, tmp_path / "here", nodes, cache=far)
    elsewhere = run(samples, tmp_path / "there", nodes, cache=far)

    assert digest_of(found) == digest_of(elsewhere) == digest_of(locally(samples, tmp_path / "local"))
    assert (found.featurized, elsewhere.featurized, elsewhere.from_cache) == (90, 0, 90)
    assert stored(tmp_path / "far") == stored(tmp_path / "here")


@pytest.mark.usefixtures("connection")
def test_a_part_that_was_damaged_here_is_fetched_again(samples: list[Sample], tmp_path: Path, nodes: Nodes) -> None:
    far = f"file://{tmp_path}/far"
    first = run(samples, tmp_path / "here", nodes, cache=far)
    for part in (tmp_path / "here" / "features").rglob("part-*"):
        part.write_bytes(b"damaged")

    again = run(samples, tmp_path / "here", nodes, cache=far)

    assert (first.featurized, again.featurized, digest_of(again)) == (90, 0, digest_of(first))


@pytest.mark.usefixtures("connection")
def test_a_part_that_was_damaged_everywhere_is_computed_again_and_fetched_again(
    samples: list[Sample], tmp_path: Path, nodes: Nodes
) -> None:
    far = f"file://{tmp_path}/far"
    first = run(samples, tmp_path / "here", nodes, cache=far)
    for part in [*(tmp_path / "here" / "features").rglob("part-*"), *(tmp_path / "far" / "features").rglob("part-*")]:
        part.write_bytes(b"damaged")

    again = run(samples, tmp_path / "here", nodes, cache=far)

    assert (again.featurized, digest_of(again)) == (90, digest_of(first))


@pytest.mark.usefixtures("connection")
def test_a_cluster_that_has_no_room_for_a_worker_ends_the_run_and_says_so(
    samples: list[Sample], tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for a node that has, as long as is told; Ray's own words say how to write programs with Ray."""
    monkeypatch.setattr("trainer.ray_tasks._GIVES_UP_AFTER_S", 2.0)
    too_large, progress = RayOptions(address=nodes.address, cpus_per_worker=64), Quiet()

    with pytest.raises(NoProgress, match=r"nothing for half an hour\. 3 nodes, 0 workers of 64 CPUs each"):
        featurize(
            samples, GRAPH, TINY_SPEC, cache_dir=tmp_path / "cache", engine="ray", ray=too_large, progress=progress
        )

    assert any("Waiting for a node to come" in warning for warning in progress.warnings)


def test_a_program_that_connects_without_the_code_is_told_what_to_do(tmp_path: Path, nodes: Nodes) -> None:
    """Workers find what lies beside the program; on other machines, and here, that is not this checkout."""
    write_picture(tmp_path / "data" / "one.png", 5)
    (tmp_path / "program.py").write_text(
        "import sys\n"
        "import ray\n"
        f"sys.path.append({str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from tests.trainer.test_featurize import sample_of\n"
        "from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph\n"
        "from trainer.featurize import featurize\n"
        f"ray.init(address={nodes.address!r}, log_to_driver=False)\n"
        "samples = [sample_of(Path('data/one.png'))]\n"
        "featurize(samples, tiny_graph(), TINY_SPEC, cache_dir=Path('cache'), engine='ray')\n"
    )

    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )

    assert "WorkersWithoutCode" in done.stderr.splitlines()[-1], done.stderr
    assert "ray.init(runtime_env=trainer.ray_cluster.code_of_this_run())" in done.stderr


@pytest.mark.usefixtures("connection")
def test_a_worker_that_would_compute_others_is_named_with_what_differs(
    samples: list[Sample], tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine decodes otherwise than the nodes, which have the code as it is on the disk."""
    monkeypatch.setattr("trainer.fingerprint.DECODER_REVISION", "another")

    with pytest.raises(WorkersDiffer, match="decoder another, there"):
        run(samples, tmp_path / "cache", nodes)

    assert stored(tmp_path / "cache") == Counter()


@pytest.mark.usefixtures("connection")
def test_a_worker_with_a_gpu_that_cannot_be_used_computes_nothing_on_its_cpu(
    samples: list[Sample], tmp_path: Path
) -> None:
    """The features would be others than their name says; the node and the reason are told."""
    on_gpus = RayOptions(gpus_per_worker=1)

    with pytest.raises(WorkerCannotCompute, match=r"^node .*CUDA"):
        featurize(samples, GRAPH, TINY_SPEC, cache_dir=tmp_path / "cache", engine="ray", ray=on_gpus)

    assert stored(tmp_path / "cache") == Counter()


@pytest.mark.usefixtures("connection")
def test_a_picture_that_only_this_machine_sees_is_no_bad_picture(
    samples: list[Sample], tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a disk that a node lacks would be told as thousands of broken pictures."""
    elsewhere = [replace(one, location=f"{one.location}.elsewhere") for one in samples]
    monkeypatch.setattr("trainer.ray_checks.is_here", lambda _sample: True)

    with pytest.raises(WorkerWithoutFiles, match=r"000\.png\.elsewhere .*disk that all nodes share"):
        run(elsewhere[:1], tmp_path / "cache", nodes)
