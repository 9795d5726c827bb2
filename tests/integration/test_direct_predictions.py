"""Plain predictions are answered by the connection itself, and nobody can tell but by the time that it takes."""

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.direct_connection import WHOLE_S
from service.direct_prediction import MAX_BYTES
from service.key_file import entry_of, with_key
from shared.bundle import Bundle
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.raw_http import Answer, chunked, connected, head
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

PICTURE = picture(RED)
LONG_WAY = "?top_k=5"  # the default, said aloud
KEY = "finial_good"
ORIGIN = "https://a.example"
TRACE = "a" * 32


def post(*headers: str, path: str = "/predict", body: bytes = PICTURE, version: str = "1.1") -> bytes:
    line = f"POST {path} HTTP/{version}"
    return head(f"Content-Length: {len(body)}", "X-Request-Id: the-same", *headers, line=line) + body


# --- which way is taken: in this service the app can tell of failures only ---


@contextlib.contextmanager
def held_service(
    models_dir: Path, *arguments: str, log: Path | None = None, whole_s: float = WHOLE_S
) -> Iterator[tuple[ServiceProcess, Path]]:
    held = models_dir.parent / "held"
    program = ("-m", "tests.service.held_service", str(held), str(whole_s))
    with running_process(models_dir, "--lanes", "1", *arguments, log=log, program=program) as service:
        service.wait_until_ready()
        try:
            yield service, held
        finally:
            held.unlink(missing_ok=True)


def test_only_plain_predictions_that_come_at_once_are_answered_without_the_app(
    models_dir: Path, bundle: Bundle
) -> None:
    """And a failure is told by it without any work."""
    padded = PICTURE + bytes(MAX_BYTES)
    with held_service(models_dir) as (service, _):

        def status(*pieces: bytes, pause_s: float = 0.0) -> int:
            return wire(service, *pieces, pause_s=pause_s).status

        whole = post()
        assert status(whole) == status(post(path="/models/colours/predict")) == 200
        assert status(post(body=PICTURE[:-20])) == 422
        assert status(post(path="/predict" + LONG_WAY)) == 200
        assert status(whole[:-5], whole[-5:], pause_s=4 * WHOLE_S) == 500
        assert status(head("Transfer-Encoding: chunked") + chunked(PICTURE)) == 500
        assert status(post(body=padded)) == 500


def test_a_body_in_pieces_is_answered_without_the_app(models_dir: Path, bundle: Bundle) -> None:
    """Also where it began behind another request."""
    whole = post()
    with held_service(models_dir, whole_s=60.0) as (service, _):
        assert wire(service, whole[:-5], whole[-5:], pause_s=0.01).status == 200
        for cut in (1, len(PICTURE) // 2, len(PICTURE)):
            with connected(service.port) as client:
                client.send(whole, whole[:-cut])
                assert client.answer().status == 200
                client.send(whole[-cut:])
                assert client.answer().status == 200


def test_pipelined_predictions_are_answered_in_turn(models_dir: Path, bundle: Bundle) -> None:
    with held_service(models_dir) as (service, _), connected(service.port) as client:
        client.send(*(post(f"X-Number: {number}").replace(b"the-same", b"%d" % number) for number in range(5)))
        assert [client.answer().headers["x-request-id"] for _ in range(5)] == [str(number) for number in range(5)]


# --- what is said, counted and logged ---


def wire(service: ServiceProcess, *pieces: bytes, pause_s: float = 0.0, half: bool = False) -> Answer:
    with connected(service.port) as client:
        for piece in pieces:
            client.send(piece)
            time.sleep(pause_s)
        if half:
            client.half_close()
        return client.answer()


def told(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """What it says; of the times only what they were of, and of the date only that there is one."""
    timing = re.sub(r"[0-9.]+", "0", answer.headers.get("server-timing", ""))
    return answer.status, answer.headers | {"date": "some", "server-timing": timing}, answer.body


REQUESTS = {
    "plain": (),
    "traced": (f"traceparent: 00-{TRACE}-{'b' * 16}-01",),
    "from a page": (f"Origin: {ORIGIN}",),
    "of a key in another header": ("Authorization: Bearer no",),
    "that ends its connection": ("Connection: close",),
    "of an odd name": ("X-Request-Id: \\odd",),
}
BODIES = {"picture": PICTURE, "damaged": PICTURE[:-20], "no picture": b"text", "nothing": b"", "large": bytes(70_000)}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServiceProcess, Path]]:
    """With keys, for pages of one origin, and small uploads."""
    folder = tmp_path_factory.mktemp("service")
    publish_bundle(folder / "models")
    keys = folder / "keys.toml"
    keys.write_text(with_key(keys, "", "good", entry_of(KEY)))
    options = ("--api-keys", str(keys), "--allow-origin", ORIGIN, "--max-upload", "64KiB", "--upload-idle-s", "0.3")
    with running_process(folder / "models", *options, log=folder / "log") as process:
        process.wait_until_ready()
        yield process, folder / "log"


def both(service: ServiceProcess, *headers: str, path: str = "/predict", **asked: object) -> list[Answer]:
    named = (f"X-Api-Key: {KEY}", *headers)
    return [wire(service, post(*named, path=path + way, **asked)) for way in ("", LONG_WAY)]  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_both_ways_answer_alike(service: tuple[ServiceProcess, Path], headers: tuple[str, ...], body: bytes) -> None:
    short, long = both(service[0], *headers, body=body)
    assert told(short) == told(long)


@pytest.mark.parametrize("path", ["/models/colours/predict", "/models/nobody/predict", "/models/col%6Furs/predict"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_both_ways_answer_alike_for_a_named_model(
    service: tuple[ServiceProcess, Path], path: str, version: str
) -> None:
    short, long = both(service[0], path=path, version=version)
    assert told(short) == told(long)


@pytest.mark.parametrize("cut", [1, 40])
@pytest.mark.parametrize("half", [True, False], ids=["broken off", "slow"])
def test_both_ways_refuse_alike_what_never_comes_whole(
    service: tuple[ServiceProcess, Path], cut: int, *, half: bool
) -> None:
    requests = [post(f"X-Api-Key: {KEY}", path="/predict" + way)[:-cut] for way in ("", LONG_WAY)]
    short, long = (wire(service[0], request, half=half) for request in requests)
    assert told(short) == told(long)
    assert short.status == (400 if half else 408)


@pytest.mark.parametrize("cut", [1, len(PICTURE) // 2, len(PICTURE)])
def test_both_ways_answer_alike_what_comes_slowly_behind_another_request(
    service: tuple[ServiceProcess, Path], cut: int
) -> None:
    """Or never to its end."""
    for rest, status in ((True, 200), (False, 408)):
        answers = []
        for way in ("", LONG_WAY):
            request = post(f"X-Api-Key: {KEY}", path="/predict" + way)
            with connected(service[0].port) as client:
                client.send(request, request[:-cut])
                assert client.answer().status == 200
                time.sleep(2 * WHOLE_S)
                client.send(request[-cut:] if rest else b"")
                answers.append(client.answer())
        assert told(answers[0]) == told(answers[1])
        assert answers[0].status == status


def test_nobody_comes_past_the_keys_behind_a_request_that_closes(service: tuple[ServiceProcess, Path]) -> None:
    """HTTP/1.0 is never kept, though its client asks for that: so the next head is read of a connection that closes."""
    process, log = service
    granted = 'finial_leases_total{outcome="granted"}'
    before = counts(process)[granted]
    first = head("Content-Length: 0", "Connection: keep-alive", line="POST /predict HTTP/1.0")
    with connected(process.port) as client:
        client.send(first, post().replace(b"the-same", b"behind-it"))
        assert client.answer().status == 401
        assert client.is_closed()
    until(lambda: lines_of(log, "behind-it"))
    assert all(line["status"] != 200 for line in lines_of(log, "behind-it"))
    assert counts(process)[granted] == before


def lines_of(log: Path, name: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [line for line in lines if line.get("request_id") == name]


def test_both_ways_log_and_count_alike(service: tuple[ServiceProcess, Path]) -> None:
    process, log = service
    names = ("short-way", "long-way")
    for name, way in zip(names, ("", LONG_WAY), strict=True):
        request = post(f"X-Api-Key: {KEY}", f"traceparent: 00-{TRACE}-{'b' * 16}-01", path="/predict" + way)
        before = counts(process)
        assert wire(process, request.replace(b"the-same", name.encode())).status == 200
        after = counts(process)
        assert {series: after[series] - before[series] for series in ONE_MORE} == dict.fromkeys(ONE_MORE, 1.0)
        assert after["finial_in_flight"] == before["finial_in_flight"] == 1, "the question itself"

    until(lambda: all(lines_of(log, name) for name in names))
    (short,), (long,) = (lines_of(log, name) for name in names)
    assert (list(short), short["trace_id"], short["version"]) == (list(long), TRACE, long["version"])
    for varies in VARYING:
        del short[varies], long[varies]
    assert short == long


VARYING = ("time", "request_id", "ms", "receive_ms", "queue_ms", "decode_ms", "run_ms")

FAILING = {
    "damaged": (post(body=PICTURE[:-20]), False),
    "no picture": (post(body=b"text"), False),
    "broken off": (post()[:-5], True),
    "slow": (post()[:-5], False),
}


@pytest.mark.parametrize(("request_of", "half"), FAILING.values(), ids=FAILING)
def test_both_ways_log_failures_alike(service: tuple[ServiceProcess, Path], request_of: bytes, *, half: bool) -> None:
    process, log = service
    lines = []
    for way in ("", LONG_WAY):
        name = f"{len(request_of)}-{half}-{time.monotonic_ns()}"
        request = request_of.replace(b"/predict", b"/predict" + way.encode(), 1).replace(b"the-same", name.encode())
        request = request.replace(b"\r\n\r\n", f"\r\nX-Api-Key: {KEY}\r\n\r\n".encode(), 1)
        wire(process, request, half=half, pause_s=4 * WHOLE_S if way and half else 0.0)  # the app is to have begun
        until(lambda name=name: lines_of(log, name))  # type: ignore[misc]
        lines += lines_of(log, name)
    short, long = lines
    assert list(short) == list(long) and "model" in short
    assert [{**line, **dict.fromkeys(VARYING)} for line in lines] == 2 * [{**long, **dict.fromkeys(VARYING)}]


ONE_MORE = (
    'finial_requests_total{route="/predict",status="200"}',
    'finial_request_seconds_count{route="/predict"}',
    *(f'finial_stage_seconds_count{{stage="{stage}"}}' for stage in ("receive", "queue", "decode", "run")),
)


def counts(service: ServiceProcess) -> Counter[str]:
    with service.client() as client:
        text = client.get("/metrics").text
    return Counter({name: float(value) for name, value in re.findall(r"^(\S+) (\S+)$", text, re.MULTILINE)})  # type: ignore[dict-item]


# --- who goes, and the end ---


def under_way(service: ServiceProcess, held: Path, *, waiting: int = 0) -> None:
    until(held.with_suffix(".run").exists)
    if waiting:
        until(lambda: waiting_in(service) == waiting)


def waiting_in(service: ServiceProcess) -> float:
    with service.client() as client:
        text = client.get("/metrics").text
    return sum(float(value) for value in re.findall(r"^finial_waiting\{.*\} (\S+)$", text, re.MULTILINE))


def test_a_client_that_goes_is_counted_and_what_it_waits_for_is_not_done(
    models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    """In the middle of its body, in the line, and while its picture is run."""
    log = tmp_path / "log"
    with held_service(models_dir, log=log) as (service, held), contextlib.ExitStack() as stack:
        held.touch()
        half, runs, waits = (stack.enter_context(connected(service.port)) for _ in range(3))
        named = {name: post().replace(b"the-same", name.encode()) for name in ("half", "runs", "waits")}
        runs.send(named["runs"])
        under_way(service, held)
        waits.send(named["waits"])
        under_way(service, held, waiting=1)
        half.send(named["half"][:-5])
        for client in (half, runs, waits):
            client.socket.close()
        until(lambda: len(access_lines(log)) == 3)
        assert {line["request_id"]: (line["status"], line["bytes_in"]) for line in access_lines(log)} == {
            "half": (499, len(PICTURE) - 5),
            "runs": (499, len(PICTURE)),
            "waits": (499, len(PICTURE)),
        }
        held.unlink()
        with connected(service.port) as client:
            client.send(post())
            assert client.answer().status == 200
        assert service.stop() == 0
    assert len(access_lines(log)) == 4


@pytest.mark.parametrize("way", ["", LONG_WAY])
def test_a_client_that_goes_with_more_behind_is_counted_at_once(
    models_dir: Path, bundle: Bundle, tmp_path: Path, way: str
) -> None:
    """Not only when its picture was run."""
    log = tmp_path / "log"
    with held_service(models_dir, log=log) as (service, held), connected(service.port) as client:
        held.touch()
        client.send(2 * post(path="/predict" + way))
        under_way(service, held)
        client.socket.close()
        if not way:  # the other way waits for the thread
            until(lambda: len(access_lines(log)) == 1)
        held.unlink()
        until(lambda: len(access_lines(log)) == 1)
        assert [line["status"] for line in access_lines(log)] == [499]


def access_lines(log: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [line for line in lines if line["logger"] == "service.access" and line["route"] == "/predict"]


def test_what_outlives_the_grace_is_told_so(models_dir: Path, bundle: Bundle, tmp_path: Path) -> None:
    """In the line, and while it is run."""
    log = tmp_path / "log"
    with held_service(models_dir, "--grace-s", "0.3", log=log) as (service, held), contextlib.ExitStack() as stack:
        held.touch()
        clients = [stack.enter_context(connected(service.port)) for _ in range(2)]
        for number, client in enumerate(clients):
            client.send(post())
            under_way(service, held, waiting=number)
        service.process.terminate()
        for client in clients:
            answer = client.answer()
            assert (answer.status, answer.problem, answer.closes) == (503, "draining", True)
        held.unlink()
        assert service.process.wait(60) == 0
    assert [line["status"] for line in access_lines(log)] == [503, 503]


def test_while_draining_an_answer_closes_its_connection(models_dir: Path, bundle: Bundle) -> None:
    with held_service(models_dir) as (service, held), connected(service.port) as client:
        held.touch()
        client.send(post())
        under_way(service, held)
        service.process.terminate()
        time.sleep(0.3)
        held.unlink()
        answer = client.answer()
        assert (answer.status, answer.closes) == (200, True)
        assert service.process.wait(60) == 0


def test_a_deadline_that_passes_in_the_line_is_told(models_dir: Path, bundle: Bundle) -> None:
    with (
        held_service(models_dir, "--request-timeout-s", "0.3") as (service, held),
        connected(service.port) as first,
        connected(service.port) as second,
    ):
        held.touch()
        first.send(post())
        under_way(service, held)
        second.send(post())
        assert (second.answer().status, waiting_in(service)) == (504, 0)


def test_a_deadline_that_passes_at_once_is_told(models_dir: Path, bundle: Bundle) -> None:
    with running_process(models_dir, "--request-timeout-s", "0.000001") as service:
        service.wait_until_ready()
        short, long = (wire(service, post(path="/predict" + way)) for way in ("", LONG_WAY))
        assert (short.status, short.problem) == (504, "deadline-passed")
        assert told(short)[1] == told(long)[1]


def test_both_ways_refuse_alike_whose_body_came_when_the_line_was_full(models_dir: Path, bundle: Bundle) -> None:
    """They did not wait, and no wait is told of."""
    with (
        held_service(models_dir, "--max-waiting", "1", whole_s=60.0) as (service, held),
        contextlib.ExitStack() as stack,
    ):
        late = {way: stack.enter_context(connected(service.port)) for way in ("", LONG_WAY)}
        for way, client in late.items():
            client.send(post(path="/predict" + way)[:-5])
        until(lambda: counts(service)["finial_in_flight"] == 3)  # with the question
        held.touch()
        for number in range(2):
            stack.enter_context(connected(service.port)).send(post())
            under_way(service, held, waiting=number)
        for client in late.values():
            client.send(post()[-5:])
        short, long = (client.answer() for client in late.values())
        held.unlink()
    assert told(short) == told(long)
    assert (short.status, short.problem) == (503, "queue-full") and "queue" not in short.headers["server-timing"]
