"""Refusals that never reach the app, over real sockets. Without a model every picture is refused, whoever is asked."""

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.serving import parse_metrics
from service.polite_close import SHORT_BODY_BYTES
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.raw_http import LIVE, Answer, RawClient, chunked, connected, head
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

PICTURE = picture(RED)
LENGTH = f"Content-Length: {len(PICTURE)}"
POST = head(LENGTH) + PICTURE
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets the connection."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with running_process(tmp_path_factory.mktemp("models"), "--keep-alive-s", "1") as process:
        with process.client() as client:
            until(lambda: client.get("/health/ready").json()["reason"] == "no model is served")
        yield process
        assert process.stop() == 0


@pytest.fixture
def client(service: ServiceProcess) -> Iterator[RawClient]:
    with connected(service.port) as client:
        yield client


def is_refused(answer: Answer, *, closes: bool) -> bool:
    assert answer.headers["retry-after"] == "2"
    return (answer.status, answer.problem, answer.closes) == (503, "no-model", closes)


def counted(service: ServiceProcess, status: int) -> float:
    with service.client() as client:
        metrics = parse_metrics(client.get("/metrics").text)
    return metrics.total("finial_requests_total", route="/predict", status=str(status))


def test_a_connection_is_kept_when_a_short_body_was_read_away(client: RawClient) -> None:
    """A new connection for each refusal costs both sides more than the refusal."""
    for _ in range(3):
        client.send(POST)
        assert is_refused(client.answer(), closes=False)


def test_the_body_may_come_in_pieces(client: RawClient) -> None:
    client.send(head(LENGTH), PICTURE[:10])
    for byte in PICTURE[10:]:
        client.send(bytes([byte]))

    assert is_refused(client.answer(), closes=False)
    client.send(LIVE)
    assert client.answer().status == 200


def test_a_body_of_a_megabyte_is_read_away(client: RawClient) -> None:
    """It comes in many reads, and is more than is held before a connection is no longer read."""
    body = b"x" * SHORT_BODY_BYTES
    for _ in range(2):
        client.send(head(f"Content-Length: {len(body)}"), body)
        assert is_refused(client.answer(), closes=False)


def test_an_empty_body_is_read_at_once(client: RawClient) -> None:
    client.send(head("Content-Length: 0"))

    assert is_refused(client.answer(), closes=False)


@pytest.mark.parametrize(
    ("line", "headers"),
    [("POST /predict HTTP/1.1", ["Connection: close"]), ("POST /predict HTTP/1.0", [])],
    ids=["asked to", "HTTP/1.0"],
)
def test_a_connection_is_closed_where_the_client_wants_it(client: RawClient, line: str, headers: list[str]) -> None:
    client.send(head(LENGTH, *headers, line=line), PICTURE)

    assert is_refused(client.answer(), closes=True)
    assert client.is_closed()


def test_a_body_that_does_not_come_is_not_waited_for_long(client: RawClient) -> None:
    client.send(head(LENGTH), PICTURE[:10])

    assert is_refused(client.answer(), closes=True)
    assert client.is_closed()


@pytest.mark.parametrize("came", [0, 10])
def test_nor_is_one_that_began_behind_another_request(client: RawClient, came: int) -> None:
    client.send(LIVE, head(LENGTH), PICTURE[:came])

    assert client.answer().status == 200
    assert is_refused(client.answer(), closes=True)
    assert client.is_closed()


@pytest.mark.parametrize("header", [f"Content-Length: {SHORT_BODY_BYTES + 1}", "Transfer-Encoding: chunked"])
def test_a_body_of_unknown_or_great_length_is_refused_before_it_is_sent(client: RawClient, header: str) -> None:
    client.send(head(header))

    assert is_refused(client.answer(), closes=True)


def test_who_reads_the_answer_only_after_sending_all_is_not_cut_off(client: RawClient) -> None:
    """A proxy whose sending is reset reads no further, and its client would never learn why it was refused."""
    body = bytes(32 * SHORT_BODY_BYTES)
    client.send(head(f"Content-Length: {len(body)}"), body)

    assert is_refused(client.answer(), closes=True)
    assert client.is_closed()


def test_who_asks_before_sending_is_not_told_to_go_on(client: RawClient) -> None:
    client.send(head(LENGTH, "Expect: 100-continue"))

    assert is_refused(client.answer(), closes=True)


def test_pipelined_requests_are_answered_in_their_order(client: RawClient) -> None:
    client.send(POST, POST, LIVE, POST, LIVE)

    assert [client.answer().status for _ in range(5)] == [503, 503, 200, 503, 200]


def test_a_body_that_breaks_off_is_a_request_that_breaks_off(client: RawClient) -> None:
    client.send(head(LENGTH), PICTURE[:10])
    client.half_close()

    answer = client.answer()
    assert (answer.status, answer.problem) == (400, "request-broken-off")


def test_an_idle_connection_is_closed_in_its_time_after_a_refusal(client: RawClient) -> None:
    client.send(POST)

    assert is_refused(client.answer(), closes=False)
    assert client.is_closed()


def test_it_is_what_the_app_answers_to_a_body_in_chunks(client: RawClient) -> None:
    client.send(head(LENGTH, "X-Request-Id: mine"), PICTURE)
    ours = client.answer()
    client.send(head("Transfer-Encoding: chunked", "X-Request-Id: mine"), chunked(PICTURE))
    of_the_app = client.answer()

    assert ours.body == of_the_app.body
    assert json.loads(ours.body)["request_id"] == "mine"
    assert list(ours.headers) == [name for name in of_the_app.headers if name != "connection"]


@pytest.mark.parametrize("given", ["two words", "a" * 129, 'a"b', "é"])
def test_an_insane_name_is_replaced(client: RawClient, given: str) -> None:
    client.send(head(LENGTH, f"X-Request-Id: {given}"), PICTURE)

    assert client.answer().headers["x-request-id"] not in ("", given)


def test_every_refusal_is_counted_once_and_so_is_who_left_before(service: ServiceProcess) -> None:
    before, gone_before = counted(service, 503), counted(service, 499)
    with connected(service.port) as client, connected(service.port) as leaver, connected(service.port) as breaker:
        leaver.send(head(LENGTH), PICTURE[:10])
        breaker.send(head(LENGTH), PICTURE[:10])
        breaker.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        for body in (PICTURE[:-1], PICTURE):
            client.send(head(f"Content-Length: {len(body)}"), body)
            client.answer()
        client.send(head("Transfer-Encoding: chunked"), chunked(PICTURE))
        client.answer()

    assert counted(service, 503) - before == 3
    until(lambda: counted(service, 499) - gone_before == 2)


def test_a_full_queue_is_refused_on_a_kept_connection_and_others_are_served(tmp_path: Path) -> None:
    """Each of many who ask at once is served or told to come back, and all are counted."""
    publish_bundle(tmp_path)
    with running_process(tmp_path, "--lanes", "1", "--max-waiting", "0") as process:
        process.wait_until_ready()
        with connected(process.port) as client:
            client.send(*[POST] * 10)
            statuses = [client.answer().status for _ in range(10)]
        assert statuses[0] == httpx.codes.OK
        assert set(statuses[1:]) <= {httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}
        assert counted(process, 200) + counted(process, 503) == len(statuses)
        assert process.stop() == 0
