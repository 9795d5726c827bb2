"""More clients than the service takes, and clients that hold what they have: bounded, and the probes get through."""

import contextlib
import select
import socket
import time
from collections.abc import Iterator

import pytest

from service.connection import CROWD_RESERVE
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.raw_http import LIVE, RawClient, connected, head
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

PICTURE = picture(RED)
POST = head(f"Content-Length: {len(PICTURE)}") + PICTURE
MAX_CONNECTIONS, MAX_UPLOAD = 3, 64 * 1024


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    models_dir = tmp_path_factory.mktemp("models")
    publish_bundle(models_dir)
    limits = ("--max-connections", str(MAX_CONNECTIONS), "--max-upload", "64KiB", "--max-uploads", "64KiB")
    log = models_dir.parent / "crowds.log"
    with running_process(models_dir, *limits, "--send-timeout-s", "0.3", log=log) as process:
        process.wait_until_ready()
        yield process
        assert process.stop() == 0
    assert "Traceback" not in log.read_text("utf-8"), "what clients do is no error of the service"


@contextlib.contextmanager
def crowd(service: ServiceProcess, count: int) -> Iterator[list[RawClient]]:
    """So many clients that are served and stay."""
    with contextlib.ExitStack() as stack:
        clients: list[RawClient] = []
        while len(clients) < count:
            client = stack.enter_context(connected(service.port))
            client.send(POST)
            answer = client.answer()
            if answer.status == 200 and not answer.closes:
                clients.append(client)
            else:  # those of the last test are not all gone
                client.socket.close()
        yield clients


def test_one_client_too_many_is_told_to_come_back(service: ServiceProcess) -> None:
    with crowd(service, MAX_CONNECTIONS), connected(service.port) as late:
        late.send(POST)

        answer = late.answer()
        assert (answer.status, answer.problem, answer.closes) == (503, "too-many-connections", True)
        assert answer.headers["retry-after"] == "1"
        assert late.is_closed()


def test_those_who_were_there_are_served_on(service: ServiceProcess) -> None:
    with crowd(service, MAX_CONNECTIONS) as clients, connected(service.port):
        clients[0].send(POST)

        assert clients[0].answer().status == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_probes_are_answered_in_a_crowd(service: ServiceProcess, path: str) -> None:
    """A service that is only busy must not be restarted."""
    with crowd(service, MAX_CONNECTIONS), connected(service.port) as probe:
        probe.send(head(line=f"GET {path} HTTP/1.1"))

        assert probe.answer().status == 200


def test_a_probe_in_a_crowd_does_not_keep_its_connection(service: ServiceProcess) -> None:
    """Else a few dozen probes that stay would hold the places of those that come later."""
    with crowd(service, MAX_CONNECTIONS), connected(service.port) as probe:
        probe.send(LIVE)

        answer = probe.answer()
        assert (answer.status, answer.closes) == (200, True)
        assert probe.is_closed()


def test_a_flood_is_refused_without_being_read(service: ServiceProcess) -> None:
    with crowd(service, MAX_CONNECTIONS), contextlib.ExitStack() as stack:
        flood = [stack.enter_context(connected(service.port)) for _ in range(CROWD_RESERVE + 1)]
        assert flood[-1].answer().problem == "too-many-connections"
        assert flood[-1].is_closed()


def test_probes_are_answered_a_second_after_a_flood_of_silent_clients(service: ServiceProcess) -> None:
    """They cost nothing, and hold the places in which probes are read: less long than others may be silent."""
    with crowd(service, MAX_CONNECTIONS - 1), connected(service.port) as there, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(service.port)) for _ in range(CROWD_RESERVE)]
        assert all(client.is_closed() for client in silent)
        assert not select.select([there.socket], [], [], 0)[0], "who came before has its time"
        with connected(service.port) as probe:
            probe.send(LIVE)
            assert probe.answer().status == 200


def test_all_uploads_together_are_bounded(service: ServiceProcess) -> None:
    with crowd(service, 2) as (first, second):
        first.send(head(f"Content-Length: {MAX_UPLOAD}"), bytes(MAX_UPLOAD - 100))
        until(lambda: _is_refused(second))
        first.send(bytes(100))
        assert first.answer().status == 415
        with connected(service.port) as third:
            third.send(POST)
            assert third.answer().status == 200, "what the first held is free again"


def _is_refused(client: RawClient) -> bool:
    client.send(head(f"Content-Length: {len(PICTURE) + 100}"), PICTURE, bytes(100))
    answer = client.answer()
    assert answer.problem in ("", "too-many-uploads")
    return answer.problem == "too-many-uploads"


def test_a_client_that_takes_no_answer_is_cut_off(service: ServiceProcess) -> None:
    """Its answers would be held for as long as it likes."""
    ask = head(line="GET /openapi.json HTTP/1.1")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", service.port))
        connection.settimeout(10)
        with pytest.raises(ConnectionError):
            for _ in range(10_000):
                connection.sendall(ask)
                time.sleep(0.005)  # one at a time: too many at once are refused for another reason
