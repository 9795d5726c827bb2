"""examples/client.py, as a user copies it: against the real service, and against servers that behave badly."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from examples.client import Refused, classify
from tests.service.pictures import BLUE, GREEN, RED, picture
from tests.service.running import ROOT, ServiceProcess

PICTURE = picture(RED)
DROP = b""
"""Instead of an answer: the connection is closed."""


def answer(status: int, body: object, *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + content


def problem(status: int, kind: str, *headers: str) -> bytes:
    return answer(status, {"type": f"urn:finial:problem:{kind}", "detail": f"About {kind}."}, *headers)


RIGHT = answer(200, {"label": "red", "score": 0.9, "predictions": [], "unfamiliar": False})
FULL = problem(503, "queue-full", "Retry-After: 1")


@dataclass
class Script:
    """What a server answers, one after the other and the last one for ever, and what it was asked."""

    answers: list[bytes]
    asked: list[tuple[float, int]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)


class _Handler(BaseHTTPRequestHandler):
    script: Script
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert self.rfile.read(int(self.headers["Content-Length"])) == PICTURE
        self.script.asked.append((time.monotonic(), int(self.headers["X-Request-Timeout-Ms"])))
        self.script.connections.add(self.client_address)
        answers = self.script.answers
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        self.wfile.write(said)
        self.close_connection = not said.startswith(b"HTTP/1.1")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def scripted(*answers: bytes) -> Iterator[tuple[httpx.Client, Script]]:
    script = Script(list(answers))
    handler = type("Handler", (_Handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            yield client, script
        server.shutdown()
        thread.join()


def test_who_is_told_to_come_back_comes_back_then_on_the_same_connection() -> None:
    with scripted(FULL, RIGHT) as (client, script):
        assert classify(client, PICTURE)["label"] == "red"

    (first, first_ms), (second, second_ms) = script.asked
    assert second - first >= 1
    assert 30_000 >= first_ms >= second_ms + 1000, "and says how long it will still wait"
    assert len(script.connections) == 1


def test_a_connection_that_is_dropped_is_made_anew() -> None:
    with scripted(DROP, RIGHT) as (client, script):
        assert classify(client, PICTURE)["label"] == "red"

    assert len(script.connections) == 2


@pytest.mark.parametrize("status", [408, 429, 502, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    wait = ["Retry-After: 0"] if status == 429 else []
    with scripted(answer(status, b"<html>", *wait), RIGHT) as (client, _):
        assert classify(client, PICTURE)["label"] == "red"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (problem(415, "unknown-format"), "415 unknown-format: About unknown-format."),
        (problem(500, "model-failed"), "500 model-failed: About model-failed."),
        (problem(503, "whatever"), "503 whatever: About whatever."),
        (answer(200, b"<html>It works!"), "200 : this is no answer of Finial: '<html>It works!'"),
        (answer(200, [1, 2]), "200 : this is no answer of Finial"),
        (answer(200, b"\xff\xfe{"), "200 : this is no answer of Finial"),
        (answer(404, {"error": "nginx"}), "404 : this is no answer of Finial"),
        (answer(200, b"no gzip", "Content-Encoding: gzip"), "cannot be asked"),
    ],
    ids=range(8),
)
def test_what_cannot_help_is_not_tried_again(said: bytes, why: str) -> None:
    with scripted(said) as (client, script), pytest.raises(Refused) as refused:
        classify(client, PICTURE)

    assert str(refused.value).startswith(why)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("said", "most"), [(FULL, 1), (b"garbage\r\n\r\n", 3), (DROP, 3), (problem(503, "x", "Retry-After: 3600"), 1)]
)
def test_the_deadline_holds_over_all_attempts(said: bytes, most: int) -> None:
    """Who would be told to come back after it gives up at once."""
    with scripted(said) as (client, script), pytest.raises(Refused):
        classify(client, PICTURE, deadline_s=0.9)

    assert 1 <= len(script.asked) <= most


def test_a_server_that_says_nothing_does_not_hold_the_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with httpx.Client(base_url=url, trust_env=False) as client, pytest.raises(Refused, match="timed out"):
            classify(client, PICTURE, deadline_s=0.2)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", ""])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client, pytest.raises(Refused, match="protocol"):
        classify(client, PICTURE)


# --- as a program, against the service ---


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "client.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_prints_a_line_for_each_picture(service: ServiceProcess, tmp_path: Path) -> None:
    for name, content in {"green": picture(GREEN), "blue": picture(BLUE, kind="JPEG"), "none": b"%PDF-"}.items():
        (tmp_path / name).write_bytes(content)

    done = run(service.url, *(tmp_path / name for name in ("green", "none", "missing", "blue")))

    assert done.returncode == 1
    assert [line.split(": ")[1] for line in done.stdout.splitlines()] == ["green 1.000", "blue 1.000"]
    none, missing = done.stderr.splitlines()
    assert none.startswith(f"{tmp_path / 'none'}: 415 unknown-format: The data looks like no picture format")
    assert "No such file" in missing


def test_a_model_is_named_in_the_address(service: ServiceProcess, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PICTURE)

    assert run(f"{service.url}/models/colours", tmp_path / "a.png").stdout.endswith("a.png: red 1.000\n")
    assert "404 unknown-model" in run(f"{service.url}/models/cats", tmp_path / "a.png").stderr


def test_without_pictures_it_says_how_it_is_used() -> None:
    done = run("http://localhost:8000")

    assert (done.returncode, done.stdout[:6]) == (2, "usage:")
