"""The service as an operator runs it: a real `python -m service`, real sockets, real signals."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.bundle import Bundle
from shared.publish import rollback
from tests.service.bundles import publish_bundle
from tests.service.pictures import BLUE, GREEN, RED, picture
from tests.service.running import ROOT, ServiceProcess, running_process
from tests.service.waiting import until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One that several tests share; none of them stops it."""
    models_dir = tmp_path_factory.mktemp("models")
    publish_bundle(models_dir)
    with running_process(models_dir, "--max-upload", "1MiB") as process:
        process.wait_until_ready()
        yield process


# --- start and end ---


def test_it_says_where_it_listens_serves_and_ends_with_exit_code_0(
    models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with running_process(models_dir, log=log) as service, service.client() as client:
        assert service.announced == {
            "event": "listening",
            "url": f"http://127.0.0.1:{service.port}",
            "host": "127.0.0.1",
            "port": service.port,
        }
        service.wait_until_ready()
        form = client.post("/predict", files={"file": picture(GREEN)}).json()
        raw = client.post("/predict", content=picture(BLUE), headers={"Content-Type": "image/png"}).json()
        assert service.stop() == 0

    assert (form["label"], raw["label"], raw["version"]) == ("green", "blue", bundle.version)
    events = [json.loads(line)["event"] for line in log.read_text("utf-8").splitlines()]
    assert {"model loaded", "generation closed"} <= set(events)


def test_asking_for_an_interrupt_ends_it_as_well(models_dir: Path) -> None:
    with running_process(models_dir) as service:
        with service.client() as client:
            assert client.get("/health/live").status_code == httpx.codes.OK
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(60) == 0


def test_a_port_that_is_taken_is_a_usage_error(models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_python("-m", "service", "--models-dir", str(models_dir), "--port", port)

    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port} (Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_names_every_option_with_its_variable() -> None:
    ended = run_python("-m", "service", "--help")

    assert ended.returncode == 0
    for option in ("models-dir", "port", "lanes", "max-waiting", "request-timeout-s", "max-upload", "drain-delay-s"):
        assert f"--{option}" in ended.stdout
        assert f"FINIAL_{option.upper().replace('-', '_')}" in ended.stdout


def test_a_request_in_flight_is_finished_before_the_end(models_dir: Path, bundle: Bundle) -> None:
    """SIGTERM while a body is still arriving: it is read, classified and answered."""
    body = picture(RED)
    with running_process(models_dir) as service:
        service.wait_until_ready()
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.sendall(head_of(f"Content-Length: {len(body)}", "Expect: 100-continue"))
            assert connection.recv(100).startswith(b"HTTP/1.1 100")  # it has begun to read
            service.process.terminate()
            until(lambda: not accepts_connections(service.port))
            connection.sendall(body)
            answer = read_all(connection)
        assert service.process.wait(60) == 0

    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"label":"red"' in answer


def test_during_the_drain_delay_it_serves_on_but_is_not_ready(models_dir: Path, bundle: Bundle) -> None:
    with running_process(models_dir, "--drain-delay-s", "3600") as service:
        service.wait_until_ready()
        service.process.terminate()
        with service.client() as client:
            until(lambda: client.get("/health/ready").status_code == httpx.codes.SERVICE_UNAVAILABLE)
            answer = client.post("/predict", files={"file": picture(GREEN)})
        assert (answer.status_code, answer.json()["label"], answer.headers["connection"]) == (200, "green", "close")
        assert service.stop() == 0, "a second signal cuts the delay short"


# --- new versions ---


def test_versions_change_under_load_without_a_lost_or_mixed_up_request(models_dir: Path) -> None:
    """Every answer is whole and belongs to the version that it names; a new version is found by itself."""
    label_of = {publish_bundle(models_dir, labels=("red", "green", "blue")).version: "red"}
    with running_process(models_dir, "--max-waiting", "64") as service, Load(service) as load:
        service.wait_until_ready()
        load.start(clients=6)
        for number in range(4):
            labels = [f"{colour}-{number}" for colour in ("red", "green", "blue")]
            version = publish_bundle(models_dir, labels=labels).version
            label_of[version] = labels[0]
            until(lambda version=version: load.last_version == version)
        back_to = rollback(models_dir, "colours").version
        until(lambda: load.last_version == back_to)
        answers = load.stop()
        assert service.stop() == 0

    assert {status for status, _, _ in answers} == {200}
    assert {version for _, version, _ in answers} == set(label_of)
    assert all(label == label_of[version] for _, version, label in answers)


def test_the_first_model_of_an_empty_folder_is_picked_up(models_dir: Path) -> None:
    with running_process(models_dir, "--poll-interval-s", "0.05") as service, service.client() as client:
        assert client.post("/predict", files={"file": picture()}).status_code == httpx.codes.SERVICE_UNAVAILABLE
        publish_bundle(models_dir)
        service.wait_until_ready()
        assert client.post("/predict", files={"file": picture()}).json()["label"] == "red"


# --- clients that misbehave ---


def test_a_refused_upload_can_read_why(service: ServiceProcess) -> None:
    """The answer comes before the body was sent, and is not lost when the connection is closed."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head_of("Content-Length: 99999999"))
        connection.sendall(bytes(512 * 1024))
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer
    assert b"urn:finial:problem:upload-too-large" in answer


def test_a_client_that_asks_first_is_spared_the_upload(service: ServiceProcess) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head_of("Content-Length: 99999999", "Expect: 100-continue"))
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in answer


def test_a_chunked_body_is_cut_off_at_the_limit(service: ServiceProcess) -> None:
    chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head_of("Transfer-Encoding: chunked"))
        for _ in range(33):
            connection.sendall(chunk)
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_that_never_ends_is_given_up(models_dir: Path, bundle: Bundle) -> None:
    with running_process(models_dir, "--upload-timeout-s", "0.2") as service:
        service.wait_until_ready()
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.sendall(head_of("Content-Length: 100") + b"x")
            answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"urn:finial:problem:upload-too-slow" in answer


def test_clients_that_hang_up_harm_nobody(service: ServiceProcess) -> None:
    body = picture(RED, size=(300, 300))
    whole = head_of(f"Content-Length: {len(body)}") + body
    for length in (1, 20, 70, len(whole) - 1, len(whole)):
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.sendall(whole[:length])

    with service.client() as client:
        assert client.post("/predict", files={"file": picture(RED)}).json()["label"] == "red"
        assert client.get("/health/ready").status_code == httpx.codes.OK


# --- what it is made of ---


def test_serving_needs_neither_torch_nor_the_trainer(bundle: Bundle) -> None:
    """The service's image does not have them, and loading them would take seconds."""
    program = (
        "import sys, service.server\n"
        "from pathlib import Path\n"
        "from service.loading import open_generation\n"
        "from tests.service.alone import classify_alone\n"
        "classify_alone(Path(sys.argv[2]).read_bytes(), open_generation('colours', Path(sys.argv[1])), count=1)\n"
        "print(*sorted(name for name in sys.modules if '.' not in name))\n"
    )
    red = bundle.path.parent / "red.png"
    red.write_bytes(picture(RED))
    ended = run_python("-c", program, str(bundle.path), str(red))

    loaded = set(ended.stdout.split())
    assert {"service", "shared", "onnxruntime", "fastapi"} <= loaded, ended.stderr
    assert not loaded & {"torch", "torchvision", "onnx", "onnxscript", "trainer", "matplotlib", "pyarrow", "rich"}


class Load:
    """Clients that ask about the same red picture, over and over, and keep (status, version, label)."""

    def __init__(self, service: ServiceProcess) -> None:
        self._service = service
        self._enough = threading.Event()
        self._answers: list[tuple[int, str, str]] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[Exception] = []

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def last_version(self) -> str | None:
        return self._answers[-1][1] if self._answers else None

    def start(self, *, clients: int) -> None:
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[tuple[int, str, str]]:
        self.__exit__()
        assert self._failures == []
        return self._answers

    def _ask(self) -> None:
        data = picture(RED)
        try:
            with self._service.client() as client:
                while not self._enough.is_set():
                    response = client.post("/predict", files={"file": data})
                    answer = response.json()
                    self._answers.append((response.status_code, answer.get("version", ""), answer.get("label", "")))
        except Exception as error:
            self._failures.append(error)


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, whatever that is."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )


def head_of(*headers: str) -> bytes:
    """A request's head for a raw picture."""
    lines = ("POST /predict HTTP/1.1", "Host: it", "Content-Type: image/png", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def accepts_connections(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
