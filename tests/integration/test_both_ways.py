"""A plain prediction may be answered past the app; nobody can tell, neither its client nor who reads the figures.

Each request of a list is sent both ways to one real service. All that it leaves behind is compared: the answer with its
headers, what is logged, what is counted, and the spans.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.direct_connection import WHOLE_S
from service.key_file import entry_of, with_key
from shared.bundle import NOVELTY, PROBABILITIES
from tests.service.bundles import colour_model, publish_bundle
from tests.service.otlp_server import Collector, attributes_of, collecting
from tests.service.plain_posts import PICTURE, WAYS, ask, counted, lines_of, post, said, without_names
from tests.service.raw_http import Answer, connected
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

ORIGIN = "https://a.example"
TRACE, CALLER = "a" * 32, "b" * 16
KEY, OF_KEY = "finial_good", "X-Api-Key: finial_good"
SELDOM = {way: f"finial_seldom_{way}" for way in WAYS}
"""Keys of one request a minute, so that each way has one to spend."""


@dataclass(frozen=True)
class Request:
    """What is sent both ways.

    Attributes:
        headers: besides those that all have.
        path: where to, without what makes the long way.
        body: what it brings.
        version: of HTTP.
        missing: how many bytes of its end never come.
        half: whether its client then says that there will be no more.
        late: whether the last byte comes when the app has begun to wait for it.
        before: how many of the same its client has sent, and has been answered.
        seldom: whether its key allows one a minute.
        status: what it is answered.
    """

    headers: Sequence[str] = (OF_KEY,)
    path: str = "/predict"
    body: bytes = PICTURE
    version: str = "1.1"
    missing: int = 0
    half: bool = False
    late: bool = False
    before: int = 0
    seldom: bool = False
    status: int = 200

    def pieces(self, way: str, name: str) -> list[bytes]:
        """What goes over the wire, in pieces."""
        headers = (f"X-Api-Key: {SELDOM[way]}",) if self.seldom else self.headers
        whole = post(*headers, path=self.path + WAYS[way], body=self.body, version=self.version, name=name)
        sent = whole[: len(whole) - self.missing]
        return [sent[:-1], sent[-1:]] if self.late else [sent]


REQUESTS = {
    "plain": Request(),
    "traced": Request((OF_KEY, f"traceparent: 00-{TRACE}-{CALLER}-01")),
    "traced, not sampled": Request((OF_KEY, f"traceparent: 00-{TRACE}-{CALLER}-00")),
    "from a page": Request((OF_KEY, f"Origin: {ORIGIN}")),
    "from a page, damaged": Request((OF_KEY, f"Origin: {ORIGIN}"), body=PICTURE[:-20], status=422),
    "that ends its connection": Request((OF_KEY, "Connection: close")),
    "of HTTP/1.0": Request(version="1.0"),
    "of a body that comes late": Request(late=True),
    "for a model": Request(path="/models/colours/predict"),
    "for a model by another writing": Request(path="/models/col%6Furs/predict"),
    "for nobody": Request(path="/models/nobody/predict", status=404),
    "for a model that knows novelty": Request(path="/models/novel/predict"),
    "damaged": Request(body=PICTURE[:-20], status=422),
    "no picture": Request(body=b"text", status=415),
    "nothing": Request(body=b"", status=400),
    "too large": Request(body=bytes(70_000), status=413),
    "broken off": Request(missing=5, half=True, late=True, status=400),
    "slow": Request(missing=5, status=408),
    "without a key": Request((), status=401),
    "of an unknown key": Request(("X-Api-Key: finial_bad",), status=401),
    "of a key that may not ask": Request(("X-Api-Key: finial_admin",), status=403),
    "of a key in another header": Request(("Authorization: Bearer finial_good",)),
    "too often": Request(seldom=True, before=1, status=429),
}


@dataclass
class Left:
    """What a request has left behind: its answer, its lines in the log, and by how much what series grew."""

    answer: Answer
    lines: list[dict[str, Any]]
    grown: dict[str, float]


@dataclass(frozen=True)
class Told:
    """What all requests have left behind, each by its name on each way."""

    left: dict[str, Left]
    collector: Collector


def name_of(request: str, way: str) -> str:
    return f"{re.sub('[^a-z0-9]+', '-', request)}.{way}"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Of a service with keys, for pages of one origin, for small uploads, and with spans: at its end all are sent."""
    folder = tmp_path_factory.mktemp("service")
    publish_bundle(folder / "models")
    publish_bundle(folder / "models", "novel", model=colour_model(novelty=0.25), outputs=(PROBABILITIES, NOVELTY))
    log, left = folder / "log", dict[str, Left]()
    options = ("--default-model", "colours", "--api-keys", str(keys_in(folder)), "--allow-origin", ORIGIN)
    bounds = ("--max-upload", "64KiB", "--upload-idle-s", "0.3")
    with collecting() as collector:
        traced = ("--otlp-endpoint", collector.url)
        with running_process(folder / "models", *options, *bounds, *traced, log=log) as service:
            service.wait_until_ready()
            for request, asked in REQUESTS.items():
                for way in WAYS:
                    left[name_of(request, way)] = left_by(service, log, asked, way, name_of(request, way))
            assert service.stop() == 0
        yield Told(left, collector)


def keys_in(folder: Path) -> Path:
    path = folder / "keys.toml"
    text = with_key(path, "", "good", entry_of(KEY))
    text = with_key(path, text, "admin", entry_of("finial_admin", rights=["admin"]))
    for way, key in SELDOM.items():
        text = with_key(path, text, f"seldom-{way}", entry_of(key, per_minute=1))
    path.write_text(text)
    return path


def left_by(service: ServiceProcess, log: Path, request: Request, way: str, name: str) -> Left:
    for _ in range(request.before):
        ask(service, *request.pieces(way, "before"))
    before = counted(service)
    pause_s = 4 * WHOLE_S if request.late else 0.0
    answer = ask(service, *request.pieces(way, name), pause_s=pause_s, half=request.half)
    until(lambda: lines_of(log, name))
    grown = {series: value - before.get(series, 0.0) for series, value in counted(service).items()}
    told = {series: more for series, more in grown.items() if more and not re.search(_VARYING_SERIES, series)}
    return Left(answer, lines_of(log, name), told)


_VARYING_SERIES = r"^(process|python)_|_bucket|_sum|_seconds_total|_age_seconds|_bytes|route=\"/metrics\""
"""Of times, of the process, and of the question itself."""


@pytest.mark.parametrize("request_name", REQUESTS)
def test_both_ways_answer_alike(told: Told, request_name: str) -> None:
    short, long = (told.left[name_of(request_name, way)] for way in WAYS)
    assert said(short.answer) == said(long.answer)
    assert short.answer.status == REQUESTS[request_name].status


@pytest.mark.parametrize("request_name", REQUESTS)
def test_both_ways_log_alike(told: Told, request_name: str) -> None:
    """One line each, with the same fields in the same order."""
    logged = []
    for way in WAYS:
        lines = told.left[name_of(request_name, way)].lines
        alike = [line | dict.fromkeys(_VARYING & line.keys(), "some") for line in lines]
        logged.append(without_names(repr(alike)))
        assert [line["logger"] for line in lines].count("service.access") == 1
    assert logged[0] == logged[1]


_VARYING = {"time", "trace_id", "ms", "receive_ms", "queue_ms", "decode_ms", "run_ms"}


@pytest.mark.parametrize("request_name", REQUESTS)
def test_both_ways_count_alike(told: Told, request_name: str) -> None:
    short, long = (told.left[name_of(request_name, way)].grown for way in WAYS)
    assert short == long
    assert sum(more for series, more in short.items() if series.startswith("finial_requests_total")) == 1


@pytest.mark.parametrize("request_name", REQUESTS)
def test_both_ways_make_the_same_spans(told: Told, request_name: str) -> None:
    short, long = (spans_of(told.collector, name_of(request_name, way)) for way in WAYS)
    assert short == long
    assert len(short) == (request_name != "traced, not sampled")


def spans_of(collector: Collector, name: str) -> list[tuple[object, ...]]:
    spans = [span for span in collector.spans if attributes_of(span).get("finial.request_id") == name]
    return [
        (
            span.name,
            span.parent_span_id,
            span.status.code,
            without_names(repr(attributes_of(span))),
            collector.below(span),
        )
        for span in spans
    ]


# --- in other services ---


@pytest.mark.parametrize("options", [("--workers", "2"), ("--drain-delay-s", "20")], ids=["two workers", "draining"])
def test_both_ways_answer_alike_in_another_service(tmp_path: Path, options: Sequence[str]) -> None:
    publish_bundle(tmp_path)
    with running_process(tmp_path, *options) as service:
        service.wait_until_ready()
        if drains := "--drain-delay-s" in options:
            service.process.terminate()
            with service.client() as client:
                until(lambda: client.get("/health/ready").is_error)
        for body in (PICTURE, PICTURE, PICTURE[:-20]):
            short, long = (ask(service, post(path="/predict" + way, body=body)) for way in WAYS.values())
            assert said(short) == said(long)
            assert short.closes == drains
        service.stop()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service that does not wait long for a body."""
    models_dir = tmp_path_factory.mktemp("models")
    publish_bundle(models_dir)
    with running_process(models_dir, "--upload-idle-s", "0.3") as service:
        service.wait_until_ready()
        yield service


@pytest.mark.parametrize("cut", [1, len(PICTURE) // 2, len(PICTURE)])
@pytest.mark.parametrize(("rest", "status"), [(True, 200), (False, 408)], ids=["slow", "never to its end"])
def test_both_ways_answer_alike_what_comes_slowly_behind_another_request(
    impatient: ServiceProcess, cut: int, *, rest: bool, status: int
) -> None:
    answers = []
    for way in WAYS.values():
        request = post(path="/predict" + way)
        with connected(impatient.port) as client:
            client.send(request, request[:-cut])
            assert client.answer().status == 200
            time.sleep(2 * WHOLE_S)
            client.send(request[-cut:] if rest else b"")
            answers.append(client.answer())
    assert said(answers[0]) == said(answers[1])
    assert answers[0].status == status
