"""Which predictions are answered past the app, and what becomes of those who go or come too late; `test_both_ways`
compares what is answered."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.direct_connection import WHOLE_S
from service.key_file import entry_of, with_key
from service.short_way import MAX_BYTES
from shared.bundle import Bundle
from tests.service.plain_posts import LONG_WAY, PICTURE, ask, counted, lines_of, post, said
from tests.service.raw_http import chunked, connected, head
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

# --- which way is taken: in this service the app can tell of failures only ---


@contextlib.contextmanager
def holding(
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
    with holding(models_dir) as (service, _):

        def status(*pieces: bytes, pause_s: float = 0.0) -> int:
            return ask(service, *pieces, pause_s=pause_s).status

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
    with holding(models_dir, whole_s=60.0) as (service, _):
        assert ask(service, whole[:-5], whole[-5:], pause_s=0.01).status == 200
        for cut in (1, len(PICTURE) // 2, len(PICTURE)):
            with connected(service.port) as client:
                client.send(whole, whole[:-cut])
                assert client.answer().status == 200
                client.send(whole[-cut:])
                assert client.answer().status == 200


def test_pipelined_predictions_are_answered_in_turn(models_dir: Path, bundle: Bundle) -> None:
    with holding(models_dir) as (service, _), connected(service.port) as client:
        client.send(*(post(name=str(number)) for number in range(5)))
        assert [client.answer().headers["x-request-id"] for _ in range(5)] == [str(number) for number in range(5)]


# --- who is let in ---


def test_nobody_comes_past_the_keys_behind_a_request_that_closes(
    models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    """HTTP/1.0 is never kept, though its client asks for that: so the next head is read of a connection that closes."""
    log, keys = tmp_path / "log", tmp_path / "keys.toml"
    keys.write_text(with_key(keys, "", "good", entry_of("finial_good")))
    first = head("Content-Length: 0", "Connection: keep-alive", line="POST /predict HTTP/1.0")
    with running_process(models_dir, "--api-keys", str(keys), log=log) as service:
        service.wait_until_ready()
        with connected(service.port) as client:
            client.send(first, post(name="behind-it"))
            assert client.answer().status == 401
            assert client.is_closed()
        until(lambda: lines_of(log, "behind-it"))
        assert all(line["status"] != 200 for line in lines_of(log, "behind-it"))
        assert counted(service)['finial_leases_total{outcome="granted"}'] == 0


# --- who goes, and the end ---


def under_way(service: ServiceProcess, held: Path, *, waiting: int = 0) -> None:
    until(held.with_suffix(".run").exists)
    if waiting:
        until(lambda: waiting_in(service) == waiting)


def waiting_in(service: ServiceProcess) -> float:
    return sum(value for series, value in counted(service).items() if series.startswith("finial_waiting{"))


def test_a_client_that_goes_is_counted_and_what_it_waits_for_is_not_done(
    models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    """In the middle of its body, in the line, and while its picture is run."""
    log = tmp_path / "log"
    with holding(models_dir, log=log) as (service, held), contextlib.ExitStack() as stack:
        held.touch()
        half, runs, waits = (stack.enter_context(connected(service.port)) for _ in range(3))
        named = {name: post(name=name) for name in ("half", "runs", "waits")}
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
    with holding(models_dir, log=log) as (service, held), connected(service.port) as client:
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
    with holding(models_dir, "--grace-s", "0.3", log=log) as (service, held), contextlib.ExitStack() as stack:
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
    with holding(models_dir) as (service, held), connected(service.port) as client:
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
        holding(models_dir, "--request-timeout-s", "0.3") as (service, held),
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
        short, long = (ask(service, post(path="/predict" + way)) for way in ("", LONG_WAY))
        assert (short.status, short.problem) == (504, "deadline-passed")
        assert said(short)[:2] == said(long)[:2]


def test_both_ways_refuse_alike_whose_body_came_when_the_line_was_full(models_dir: Path, bundle: Bundle) -> None:
    """They did not wait, and no wait is told of."""
    with (
        holding(models_dir, "--max-waiting", "1", whole_s=60.0) as (service, held),
        contextlib.ExitStack() as stack,
    ):
        late = {way: stack.enter_context(connected(service.port)) for way in ("", LONG_WAY)}
        for way, client in late.items():
            client.send(post(path="/predict" + way)[:-5])
        until(lambda: counted(service)["finial_in_flight"] == 3)  # with the question
        held.touch()
        for number in range(2):
            stack.enter_context(connected(service.port)).send(post())
            under_way(service, held, waiting=number)
        for client in late.values():
            client.send(post()[-5:])
        short, long = (client.answer() for client in late.values())
        held.unlink()
    assert said(short) == said(long)
    assert (short.status, short.problem) == (503, "queue-full") and "queue" not in short.headers["server-timing"]
