"""The end of a service, whenever it is asked to: what was sent is answered, the rest is refused, the exit code is 0."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.bundle import Bundle
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.raw_http import LIVE, RawClient, connected, head
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

PICTURE = picture(RED)
POST = head(f"Content-Length: {len(PICTURE)}") + PICTURE
HALF = head(f"Content-Length: {len(PICTURE)}") + PICTURE[:-1]


@contextlib.contextmanager
def ready(models_dir: Path, *arguments: str, log: Path | None = None) -> Iterator[ServiceProcess]:
    with running_process(models_dir, *arguments, log=log) as service:
        service.wait_until_ready()
        yield service


# --- nothing is lost ---


@pytest.mark.parametrize("keeps_connection", [True, False])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_under_load_every_request_is_answered_or_refused_before_it_is_sent(
    models_dir: Path, *, keeps_connection: bool, workers: str
) -> None:
    """Counted by the clients. Plain uvicorn resets connections that it has let in and not looked at yet."""
    publish_bundle(models_dir)
    fates = Counter[str]()
    with ready(models_dir, "--max-waiting", "64", "--workers", workers) as service:
        clients = [
            threading.Thread(target=ask_until_refused, args=(service.port, fates), kwargs={"keep": keeps_connection})
            for _ in range(12)
        ]
        for client in clients:
            client.start()
        until(lambda: fates["200"] > 100)
        assert service.stop() == 0
        for client in clients:
            client.join(60)

    assert set(fates) == {"200", "refused"}, fates
    assert fates["refused"] == len(clients)


def ask_until_refused(port: int, fates: Counter[str], *, keep: bool) -> None:
    """What became of each request of a client that closes where it is told to."""
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            fates["refused"] += 1
            return
        with connection:
            client, closes = RawClient(connection), False
            while not closes:
                try:
                    client.send(POST)
                    answer = client.answer()
                except OSError as error:
                    fates[f"lost ({error!r})"] += 1
                    return
                fates[str(answer.status)] += 1
                closes = answer.closes or not keep


@pytest.mark.parametrize("workers", ["1", "2"])
def test_who_waits_at_the_door_is_still_let_in(models_dir: Path, bundle: Bundle, workers: str) -> None:
    """The system has connected them and taken their requests; the service has seen none of it when it is to end."""
    with ready(models_dir, "--max-waiting", "64", "--workers", workers) as service, contextlib.ExitStack() as stack:
        with paused(service):
            clients = [stack.enter_context(connected(service.port)) for _ in range(40)]
            for client in clients:
                client.send(POST)
            service.process.terminate()
        statuses = {client.answer().status for client in clients}
        assert service.process.wait(60) == 0

    assert statuses == {200}


@contextlib.contextmanager
def paused(service: ServiceProcess) -> Iterator[None]:
    """It and its workers do nothing meanwhile."""
    pids = [service.process.pid, *service.workers()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)


def test_a_request_that_comes_just_after_the_signal_is_answered(models_dir: Path, bundle: Bundle) -> None:
    """On a connection that was idle: its client cannot know, and would have to guess what became of it."""
    with ready(models_dir) as service, connected(service.port) as idle, connected(service.port) as fresh:
        idle.send(LIVE)
        assert idle.answer().closes is False
        service.process.terminate()
        refused_from_now_on(service)
        for client in (idle, fresh):
            client.send(POST)
            answer = client.answer()
            assert (answer.status, answer.closes) == (200, True)
        assert service.process.wait(60) == 0


def test_pipelined_requests_are_all_answered_before_the_end(models_dir: Path, bundle: Bundle) -> None:
    """`Connection: close` on the first answer would lose the others."""
    with ready(models_dir) as service, connected(service.port) as client:
        client.send(HALF)
        service.process.terminate()
        refused_from_now_on(service)
        client.send(PICTURE[-1:] + POST + POST)
        answers = [client.answer() for _ in range(3)]
        assert service.process.wait(60) == 0

    assert [(answer.status, answer.closes) for answer in answers] == [(200, False), (200, False), (200, True)]


def test_connections_that_stay_silent_do_not_hold_the_end(models_dir: Path, bundle: Bundle) -> None:
    with ready(models_dir, "--grace-s", "60") as service, connected(service.port) as used, connected(service.port):
        used.send(LIVE)
        used.answer()
        begun = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begun < 30


def refused_from_now_on(service: ServiceProcess) -> None:
    """Return when the listening socket is closed. To try would take longer: the system tries again a second later."""
    until(lambda: f":{service.port:04X} 00000000:0000 0A" not in Path("/proc/net/tcp").read_text())


# --- the end itself is bounded ---


def test_what_outlives_the_grace_is_told_so(models_dir: Path, bundle: Bundle) -> None:
    with ready(models_dir, "--grace-s", "0.3") as service, connected(service.port) as slow:
        slow.send(HALF)
        service.process.terminate()

        answer = slow.answer()
        assert (answer.status, answer.problem, answer.closes) == (503, "draining", True)
        assert service.process.wait(60) == 0


def test_a_second_signal_cuts_the_grace_short(models_dir: Path, bundle: Bundle) -> None:
    with ready(models_dir, "--grace-s", "3600", "--upload-idle-s", "3600") as service:
        with connected(service.port) as slow:
            slow.send(HALF)
            service.process.terminate()
            refused_from_now_on(service)
            service.process.terminate()
            assert slow.answer().problem == "draining"
        assert service.process.wait(60) == 0


def test_the_end_is_told_in_the_log_without_a_traceback(models_dir: Path, bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ready(models_dir, "--grace-s", "0.3", log=log) as service, connected(service.port) as slow:
        slow.send(HALF)
        assert service.stop() == 0

    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["cancelled"] for line in lines if line["event"] == "grace is over"] == [1]
    assert [line for line in lines if "traceback" in line] == []


# --- at any time ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", [ServiceProcess.wait_until_alive, ServiceProcess.wait_until_ready, lambda _: None])
def test_it_ends_well_whatever_it_is_doing(
    models_dir: Path, bundle: Bundle, moment: Callable[[ServiceProcess], None], number: int
) -> None:
    """Listening, loading its models, or serving."""
    with running_process(models_dir) as service:
        moment(service)
        service.process.send_signal(number)
        code = service.process.wait(60)

    assert code in ({0} if number == signal.SIGTERM else {0, 130})
