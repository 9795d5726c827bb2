"""Several workers behind one port: real processes, killed and stopped like an operator's would be."""

import contextlib
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.bundle import Bundle
from shared.cores import usable_cores
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.raw_http import RawClient, connected, head
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

PICTURE = picture(RED)
POST = head(f"Content-Length: {len(PICTURE)}") + PICTURE


@contextlib.contextmanager
def two_workers(models_dir: Path, *arguments: str, log: Path | None = None) -> Iterator[ServiceProcess]:
    """Both have said that they serve."""
    with running_process(models_dir, "--workers", "2", "--max-waiting", "64", *arguments, log=log) as service:
        until(lambda: up(metrics(service)) == {"0": 1.0, "1": 1.0})
        yield service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One that several tests share; none of them stops it."""
    models_dir = tmp_path_factory.mktemp("models")
    publish_bundle(models_dir)
    with two_workers(models_dir) as service:
        yield service


def metrics(service: ServiceProcess) -> str:
    with service.client() as client:
        try:
            return client.get("/metrics").text
        except OSError:
            return ""


def samples(text: str, name: str) -> dict[str, float]:
    """Of one metric, summed by worker."""
    found = Counter[str]()
    for labels, value in re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE):
        found[re.findall(r'worker="(\d+)"', labels)[0]] += float(value)
    return dict(found)


def up(text: str) -> dict[str, float]:
    return samples(text, "finial_worker_up")


class Askers:
    """Clients that ask over and over, and count what became of it."""

    def __init__(self, port: int, *, count: int) -> None:
        self.fates = Counter[str]()
        self._port, self._enough = port, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> "Askers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self) -> None:
        while not self._enough.is_set():
            try:
                with connected(self._port) as client:
                    self._ask_over(client)
            except OSError:
                self.fates["lost"] += 1

    def _ask_over(self, client: RawClient) -> None:
        while not self._enough.is_set():
            client.send(POST)
            self.fates[str(client.answer().status)] += 1


def test_whichever_worker_is_asked_for_metrics_answers_for_all(service: ServiceProcess) -> None:
    for number in range(1, 21):
        with connected(service.port) as client:
            client.send(POST)
            assert client.answer().status == 200
        assert sum(samples(metrics(service), "finial_requests_total").values()) >= number
    text = metrics(service)

    assert set(samples(text, "finial_generation_info")) == {"0", "1"}
    assert text.count("# TYPE finial_requests_total counter") == 1


def test_each_worker_has_its_share_of_the_cores(service: ServiceProcess) -> None:
    share = max(1.0, float(usable_cores() // 2))
    assert samples(metrics(service), "finial_lanes") == {"0": share, "1": share}


def test_a_worker_that_does_not_answer_is_said_in_the_metrics(service: ServiceProcess) -> None:
    worker = service.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        until(lambda: sorted(up(metrics(service)).values()) == [0.0, 1.0])
    finally:
        os.kill(worker, signal.SIGCONT)


def test_a_worker_that_is_killed_under_load_is_replaced(models_dir: Path, bundle: Bundle) -> None:
    """It loses what it was answering, nothing else; no client meets the new one before it can answer."""
    with two_workers(models_dir) as service, Askers(service.port, count=6) as askers:
        until(lambda: askers.fates["200"] > 50)
        before = service.workers()
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(service.workers()) == 2 and before[0] not in service.workers())
        until(lambda: set(up(metrics(service)).values()) == {1.0})
        seen = askers.fates["200"]
        until(lambda: askers.fates["200"] > seen + 50)
        fates = dict(askers.fates)
        assert service.stop() == 0

    assert set(fates) <= {"200", "lost"}
    assert fates.get("lost", 0) <= 6, "each client had one request on its way"


def test_one_worker_that_is_told_to_end_loses_nothing(models_dir: Path, bundle: Bundle) -> None:
    """An operator's `kill PID`: the others accept on from the same socket."""
    with two_workers(models_dir) as service, AskersThatListen(service.port, count=6) as askers:
        until(lambda: askers.fates["200"] > 50)
        before = service.workers()
        os.kill(before[0], signal.SIGTERM)
        until(lambda: before[0] not in service.workers())
        until(lambda: set(up(metrics(service)).values()) == {1.0})
        fates = dict(askers.fates)

    assert set(fates) == {"200"}


class AskersThatListen(Askers):
    """They close a connection when they are told to."""

    def _ask_over(self, client: RawClient) -> None:
        while not self._enough.is_set():
            client.send(POST)
            answer = client.answer()
            self.fates[str(answer.status)] += 1
            if answer.closes:
                return


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_supervisor(models_dir: Path, bundle: Bundle, number: int) -> None:
    with two_workers(models_dir) as service:
        workers = service.workers()
        assert len(workers) == 2
        service.process.send_signal(number)
        assert service.process.wait(60) == (0 if number == signal.SIGTERM else -signal.SIGKILL)

    until(lambda: not any(runs(pid) for pid in workers))


def test_a_supervisor_that_is_killed_leaves_no_folder_behind(models_dir: Path, bundle: Bundle, tmp_path: Path) -> None:
    """It can remove nothing any more; its last worker does."""
    temporary = tmp_path / "t"
    temporary.mkdir()
    with running_process(models_dir, "--workers", "2", environment={"TMPDIR": str(temporary)}) as service:
        until(lambda: up(metrics(service)) == {"0": 1.0, "1": 1.0})
        assert list(temporary.glob("finial-*/*.socket"))
        service.process.kill()
        service.process.wait(60)

        until(lambda: not list(temporary.glob("finial-*")))


def test_workers_that_end_already_keep_their_grace_when_the_service_ends(models_dir: Path, bundle: Bundle) -> None:
    """The end of the service is no second signal to them."""
    with two_workers(models_dir) as service, connected(service.port) as client:
        client.send(POST[:-1])
        until(lambda: sum(samples(metrics(service), "finial_in_flight").values()) == 2)  # it, and the question itself
        before = service.workers()
        for worker in before:
            os.kill(worker, signal.SIGTERM)
        until(lambda: is_refused(service.port) or not set(before) <= set(service.workers()))
        service.process.terminate()
        until(lambda: is_refused(service.port))
        client.send(POST[-1:])

        assert client.answer().status == 200
        assert service.process.wait(60) == 0


def is_refused(port: int) -> bool:
    try:
        with connected(port):
            return False
    except ConnectionError:
        return True


def runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_signal_while_workers_start_ends_them_as_well(models_dir: Path) -> None:
    publish_bundle(models_dir)
    with running_process(models_dir, "--workers", "2") as service:
        until(service.workers)
        workers = service.workers()
        assert service.stop() == 0
        assert not any(runs(pid) for pid in workers)


def test_during_the_drain_delay_workers_serve_on_and_a_second_signal_cuts_it_short(
    models_dir: Path, bundle: Bundle
) -> None:
    with two_workers(models_dir, "--drain-delay-s", "3600") as service, service.client() as client:
        service.process.terminate()
        until(lambda: client.get("/health/ready").status_code == 503)
        assert client.post("/predict", files={"file": PICTURE}).status_code == 200
        assert service.stop() == 0
