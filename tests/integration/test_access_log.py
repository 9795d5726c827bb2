"""The access log has a line for each request that clients made, and the metrics count the same: to the unit."""

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.bundle import Bundle
from tests.service.pictures import RED, picture
from tests.service.raw_http import RawClient, connected, head
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

PICTURE = picture(RED)
CLIENTS, ROUNDS = 12, 8
PROBES = ("/health/", "/metrics")

Fates = dict[str, int]
"""What each request was answered, by its name; 499 where its client left."""


def post(name: str, *headers: str, line: str = "POST /predict HTTP/1.1", body: bytes = PICTURE) -> bytes:
    return head(f"X-Request-Id: {name}", f"Content-Length: {len(body)}", *headers, line=line) + body


MIXTURE: dict[str, Callable[[str], bytes]] = {
    "good": post,
    "named": lambda name: post(name, line="POST /models/colours/predict HTTP/1.1"),
    "unknown": lambda name: post(name, line="POST /models/cats/predict HTTP/1.1"),
    "undecodable": lambda name: post(name, body=PICTURE[:-20]),
    "typo": lambda name: post(name, line="POST /predict?topk=1 HTTP/1.1"),
    "elsewhere": lambda name: post(name, line="GET /no/such/route HTTP/1.1"),
    "method": lambda name: post(name, line="DELETE /predict HTTP/1.1"),
    "listing": lambda name: post(name, line="GET /models HTTP/1.1", body=b""),
    "hopeless": lambda name: post(name, "X-Request-Timeout-Ms: 1"),
}


class Asking:
    """Clients that ask at once, more than are served at once, each on as many connections as it takes."""

    def __init__(self, port: int) -> None:
        self.fates: Fates = {}
        self._port = port

    def run(self) -> None:
        threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    def _ask(self, number: int) -> None:
        wishes = [(f"{kind}-{number}-{round_}", MIXTURE[kind]) for round_ in range(ROUNDS) for kind in MIXTURE]
        while wishes:
            with connected(self._port) as client:
                while wishes and self._is_kept(client, *wishes[-1]):
                    wishes.pop()
                del wishes[-1:]

    def _is_kept(self, client: RawClient, name: str, request: Callable[[str], bytes]) -> bool:
        client.send(request(name))
        answer = client.answer()
        assert answer.headers["x-request-id"] == name
        self.fates[name] = answer.status
        return not answer.closes


def break_things(port: int) -> Fates:
    """Requests that are none, end in the middle, or lose their client; those that can, say their names."""
    fates: Fates = {}
    with connected(port) as client:
        client.send(b"this is no HTTP\r\n\r\n")
        answer = client.answer()
        fates[answer.headers["x-request-id"]] = answer.status
    with connected(port) as client:
        client.send(post("half")[:-5])
        client.half_close()
        assert client.answer().status == 400
        fates["half"] = 499
    with connected(port) as client:
        client.send(post("left")[:-5])
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    fates["left"] = 499
    return fates


def counted(service: ServiceProcess) -> Counter[int]:
    """Requests by status as the metrics have them, without probes."""
    with service.client() as client:
        text = client.get("/metrics").text
    found = Counter[int]()
    for labels, value in re.findall(r"^finial_requests_total{(.*)} (\S+)$", text, re.MULTILINE):
        told = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if not told["route"].startswith(PROBES):
            found[int(told["status"])] += int(float(value))
    return found


def access_lines(log: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [line for line in lines if line["logger"] == "service.access"]


@pytest.mark.parametrize("workers", [1, 2])
def test_each_request_has_its_line_and_its_count(
    workers: int, models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    """Answered, refused by the gate or for want of a connection, broken off, and no HTTP at all."""
    log = tmp_path / "log"
    options = ("--workers", str(workers), "--lanes", "1", "--max-waiting", "1", "--max-connections", "6")
    with running_process(models_dir, *options, log=log) as service:
        service.wait_until_ready()
        asking = Asking(service.port)
        asking.run()
        fates = asking.fates | break_things(service.port)
        seen = Counter(fates.values())
        until(lambda: counted(service)[499] >= 2)
        assert counted(service) == seen
        assert service.stop() == 0

    lines = access_lines(log)
    assert {line["request_id"]: line["status"] for line in lines} == fates
    assert len(lines) == len(fates) == CLIENTS * ROUNDS * len(MIXTURE) + 3
    assert {200, 400, 404, 405, 422, 499, 503} <= set(seen)
    assert {line.get("worker") for line in lines} <= ({None} if workers == 1 else {0, 1})


def test_no_line_is_logged_where_none_is_wanted(models_dir: Path, bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_process(models_dir, "--no-access-log", log=log) as service, connected(service.port) as client:
        service.wait_until_ready()
        client.send(post("mine"))
        assert client.answer().status == 200
        assert service.stop() == 0

    assert access_lines(log) == []
    assert "model loaded" in log.read_text("utf-8")


def test_a_line_tells_model_version_and_stages(models_dir: Path, bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_process(models_dir, log=log) as service, connected(service.port) as client:
        service.wait_until_ready()
        client.send(post("mine"))
        assert client.answer().status == 200
        client.send(head(line="GET /health/live HTTP/1.1"))
        assert client.answer().status == 200
        assert service.stop() == 0

    (line,) = access_lines(log)
    assert (line["model"], line["version"], line["client"]) == ("colours", bundle.version, "127.0.0.1")
    assert line["bytes_in"] == len(PICTURE)
    stages = [float(str(line[f"{stage}_ms"])) for stage in ("receive", "queue", "decode", "run")]
    assert 0 < sum(stages) < float(str(line["ms"]))
    assert '"red"' not in log.read_text("utf-8"), "labels are not logged"
