"""Clients that break HTTP, by mistake or on purpose, against the real program: raw sockets, short deadlines."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.bundles import publish_bundle
from tests.service.forms import FORM, form
from tests.service.pictures import RED, picture
from tests.service.raw_http import LIVE, RawClient, chunked, connected, head
from tests.service.running import ServiceProcess, running_process

PICTURE = picture(RED)
MAX_UPLOAD, MAX_HEADERS = 64 * 1024, 4 * 1024
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service would put temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> Iterator[ServiceProcess]:
    """Small limits, and deadlines that are told apart on a busy machine; stopped at the end, which must go well."""
    models_dir = tmp_path_factory.mktemp("models")
    publish_bundle(models_dir)
    options = {
        "max-upload": MAX_UPLOAD,
        "max-headers": MAX_HEADERS,
        "max-pixels": 90_000,
        "headers-timeout-s": 0.6,
        "keep-alive-s": 3,
        "upload-idle-s": 1,
        "upload-timeout-s": 2,
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with running_process(models_dir, *arguments, environment={"TMPDIR": str(temporary)}) as process:
        process.wait_until_ready()
        before = set(temporary.iterdir())  # ONNX Runtime has a file of its own there
        yield process
        assert process.stop() == 0
    assert set(temporary.iterdir()) == before, "temporary files were left behind"


@pytest.fixture
def client(service: ServiceProcess) -> Iterator[RawClient]:
    """Connected; afterwards the service must be well."""
    with connected(service.port) as client:
        yield client
    with connected(service.port) as other:
        other.send(head(f"Content-Length: {len(PICTURE)}"), PICTURE)
        assert other.answer().status == 200


# --- deadlines of heads ---


def test_a_connection_that_asks_nothing_is_closed(client: RawClient) -> None:
    assert client.is_closed()


def test_a_head_of_one_byte_at_a_time_is_given_up(client: RawClient) -> None:
    """Plain uvicorn waits for ever: each byte stops the only clock it has."""
    begun = time.monotonic()
    client.drip(LIVE[:20], every_s=0.1)

    answer = client.answer()
    assert (answer.status, answer.problem, answer.closes) == (408, "headers-too-slow", True)
    assert client.is_closed()
    assert time.monotonic() - begun >= 0.6, "not before its time"


def test_blank_lines_do_not_hold_a_connection_either(client: RawClient) -> None:
    client.send(LIVE)
    assert client.answer().status == 200
    client.drip(b"\r\n" * 10, every_s=0.1)

    assert client.answer().problem == "headers-too-slow"


def test_the_second_request_of_a_connection_has_the_same_deadline(client: RawClient) -> None:
    client.send(LIVE, LIVE[:30])
    assert client.answer().status == 200

    assert client.answer().problem == "headers-too-slow"


def test_a_connection_may_rest_longer_than_a_head_may_take(client: RawClient) -> None:
    client.send(LIVE)
    assert client.answer().status == 200
    time.sleep(0.7)
    client.send(LIVE)
    assert client.answer().status == 200
    assert client.is_closed(), "and is closed at the end of keep-alive"


# --- sizes of heads ---


def head_of_size(size: int) -> bytes:
    bare = head("X: ", line="GET /health/live HTTP/1.1")
    return head("X: " + "x" * (size - len(bare)), line="GET /health/live HTTP/1.1")


@pytest.mark.parametrize(("size", "status"), [(MAX_HEADERS, 200), (MAX_HEADERS + 1, 431)])
def test_heads_are_bounded_to_the_byte(client: RawClient, size: int, status: int) -> None:
    client.send(head_of_size(size))

    assert client.answer().status == status


def test_a_head_without_end_is_refused_while_it_comes(client: RawClient) -> None:
    client.send(LIVE[:-2], b"X: ", b"x" * 500_000)

    answer = client.answer()
    assert (answer.problem, answer.closes) == ("headers-too-large", True)
    assert client.is_closed()


def test_a_head_behind_a_body_may_have_twice_as_much_at_most(client: RawClient) -> None:
    """They come in one piece, and where the head begins in it is known only afterwards."""
    size = 1000
    client.send(head(f"Content-Length: {size}", "Expect: 100-continue"))
    assert client.answer().status == 100
    client.send(bytes(size), head_of_size(2 * MAX_HEADERS + 1))

    assert [client.answer().problem, client.answer().problem] == ["unknown-format", "headers-too-large"]


def test_a_request_line_counts_as_well(client: RawClient) -> None:
    client.send(b"GET /", b"x" * MAX_HEADERS, b" HTTP/1.1\r\nHost: it\r\n\r\n")

    assert client.answer().problem == "headers-too-large"


# --- what is not HTTP/1.1, or not only one thing ---


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\nHost: it\n\n",
        b"GET /\x00 HTTP/1.1\r\nHost: it\r\n\r\n",
        b"CONNECT it:1 HTTP/1.1\r\nHost: it\r\n\r\n",
        head(line="GET http://it:99999/health/live HTTP/1.1"),
        head(line="GET /health/live HTTP/1.1", host=None),
        head("Host: other", line="GET /health/live HTTP/1.1"),
        head("X: a\r\n folded"),
        head("Content-Length : 5"),
        head("Content-Length: -1"),
        head("Content-Length: +1"),
        head("Content-Length: 0x1"),
        head("Content-Length: 1_0"),
        head("Content-Length: 1.0"),
        head("Content-Length:"),
        head("Content-Length: 5, 5"),
        head("Content-Length: 5", "Content-Length: 5"),
        head("Content-Length: 5", "Content-Length: 6"),
        head("Content-Length: 99999999999999999999999"),
        pytest.param(head(f"Content-Length: {'0' * 3000}5"), id="zeros"),
        head("Content-Length: 5", CHUNKED),
        head(CHUNKED, "Content-Length: 5"),
        head("Transfer-Encoding: gzip"),
        head("Transfer-Encoding: gzip, chunked"),
        head("Transfer-Encoding: chunked, gzip"),
        head("Transfer-Encoding: identity"),
        head("Transfer-Encoding: xchunked"),
        head("Transfer-Encoding: \x0bchunked"),
        head(CHUNKED, CHUNKED),
        head(CHUNKED, line="POST /predict HTTP/1.0"),
    ],
    ids=repr,
)
def test_what_is_ambiguous_is_refused_and_the_connection_closed(client: RawClient, data: bytes) -> None:
    """What follows could be taken for a request by one side and for a body by the other."""
    client.send(data, LIVE)

    answer = client.answer()
    assert (answer.status, answer.problem, answer.closes) == (400, "bad-request", True)
    client.half_close()
    assert client.is_closed(), "nothing after it is answered"


@pytest.mark.parametrize("line", ["GET /health/live", "GET /health/live HTTP/0.9", "GET /health/live HTTP/2.0"])
def test_other_versions_are_refused(client: RawClient, line: str) -> None:
    client.send(head(line=line) if "HTTP" in line else f"{line}\r\n\r\n".encode())

    assert client.answer().problem == "http-version"


def test_an_error_is_answered_in_its_turn(client: RawClient) -> None:
    """Plain uvicorn answers at once, which the client takes for the answer to its first request."""
    client.send(head(f"Content-Length: {len(PICTURE)}"), PICTURE, b"nonsense\r\n\r\n")

    assert client.answer().status == 200
    assert client.answer().problem == "bad-request"


BAD_TARGET = head(line="GET http://it:99999/ HTTP/1.1")


def test_a_bad_target_is_not_the_fault_of_the_request_before_it(client: RawClient) -> None:
    """Both come in one piece: the first has not begun to be answered when the second turns out to be bad."""
    client.send(head(f"Content-Length: {len(PICTURE)}"), PICTURE, BAD_TARGET)

    assert client.answer().status == 200
    answer = client.answer()
    assert (answer.problem, answer.closes) == ("bad-request", True)
    assert b"its target is 'http://it:99999/'" in answer.body
    assert client.is_closed()


def test_a_bad_target_is_answered_also_while_the_request_before_it_is_computed(client: RawClient) -> None:
    client.send(head(f"Content-Length: {len(PICTURE)}", "Expect: 100-continue"))
    assert client.answer().status == 100, "it has begun"
    client.send(PICTURE)
    client.send(BAD_TARGET)

    assert [client.answer().status, client.answer().status] == [200, 400]


def test_a_bad_target_is_answered_on_a_connection_that_was_kept(client: RawClient) -> None:
    client.send(LIVE)
    assert client.answer().status == 200
    client.send(BAD_TARGET)

    assert client.answer().problem == "bad-request"


def test_a_refused_request_has_the_name_that_the_service_gave_it(client: RawClient) -> None:
    client.send(b"nonsense\r\n\r\n")

    assert len(client.answer().headers["x-request-id"]) == 32


# --- what is unusual but right ---


def test_http_1_0_is_answered_and_closed(client: RawClient) -> None:
    client.send(head(f"Content-Length: {len(PICTURE)}", line="POST /predict HTTP/1.0", host=None), PICTURE)

    assert client.answer().status == 200
    assert client.is_closed()


def test_the_absolute_form_of_a_target_is_understood(client: RawClient) -> None:
    client.send(head(line="GET http://it/health/live?x=1 HTTP/1.1"))

    assert client.answer().status == 200


def test_a_target_without_a_path_is_the_root(client: RawClient) -> None:
    client.send(head(line="GET http://it HTTP/1.1"))

    assert client.answer().status == 200


def test_pipelined_requests_are_answered_in_order(client: RawClient) -> None:
    client.send(head(f"Content-Length: {len(PICTURE)}"), PICTURE, LIVE, head(line="GET /nowhere HTTP/1.1"), LIVE)

    assert [client.answer().status for _ in range(4)] == [200, 200, 404, 200]


def test_a_client_that_pipelines_without_measure_is_stopped(client: RawClient) -> None:
    client.send(head(f"Content-Length: {len(PICTURE)}"), PICTURE, LIVE * 100)

    statuses = [client.answer().status for _ in range(18)]
    assert statuses == [200] * 17 + [400]


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_an_upgrade_is_an_offer_that_is_not_taken(client: RawClient, protocol: str) -> None:
    offer = ("Connection: Upgrade", f"Upgrade: {protocol}")
    client.send(head(f"Content-Length: {len(PICTURE)}", *offer), PICTURE, LIVE)

    assert [client.answer().status, client.answer().status] == [200, 200]


def test_an_offer_with_a_wish_to_close_is_closed(client: RawClient) -> None:
    client.send(head("Connection: close, Upgrade", "Upgrade: h2c", line="GET /health/live HTTP/1.1"))

    assert client.answer().closes
    assert client.is_closed()


# --- bodies: framing ---


def test_chunks_may_have_extensions_and_trailers(client: RawClient) -> None:
    half = len(PICTURE) // 2
    body = chunked(PICTURE[:half], PICTURE[half:], extension=b';a="b"', trailers=b"X-Sum: 1\r\n")
    client.send(head(CHUNKED), body, LIVE)

    assert [client.answer().status, client.answer().status] == [200, 200]


def test_a_trailer_is_no_header(client: RawClient) -> None:
    """It comes after the headers were judged; uvicorn appends it to them."""
    client.send(head(CHUNKED), chunked(PICTURE, trailers=b"X-Request-Id: mine\r\n"))

    assert client.answer().headers["x-request-id"] != "mine"


@pytest.mark.parametrize(
    "body",
    [
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"g\r\nhello\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
    ],
    ids=repr,
)
def test_broken_chunks_are_refused(client: RawClient, body: bytes) -> None:
    client.send(head(CHUNKED))
    client.send(body, LIVE)

    answer = client.answer()
    assert (answer.status, answer.problem, answer.closes) == (400, "bad-request", True)
    client.half_close()
    assert client.is_closed()


def test_chunks_of_more_framing_than_content_are_refused(client: RawClient) -> None:
    """An extension has no end of its own, and none of its bytes count as body."""
    client.send(head(CHUNKED), b"1;", b"x" * 100_000)

    assert client.answer().problem == "headers-too-large"


@pytest.mark.parametrize("announced", [len(PICTURE) + 1, MAX_UPLOAD])
def test_a_body_that_is_shorter_than_announced_is_refused(client: RawClient, announced: int) -> None:
    client.send(head(f"Content-Length: {announced}"), PICTURE)
    client.half_close()

    answer = client.answer()
    assert (answer.status, answer.problem, answer.closes) == (400, "request-broken-off", True)
    assert client.is_closed()


def test_a_body_that_is_longer_than_announced_is_no_request(client: RawClient) -> None:
    client.send(head(f"Content-Length: {len(PICTURE)}"), PICTURE, b"and more\r\n\r\n")

    assert client.answer().status == 200
    answer = client.answer()
    assert (answer.problem, answer.closes) == ("bad-request", True)


# --- bodies: size ---


@pytest.mark.parametrize(("size", "problem"), [(MAX_UPLOAD, "unknown-format"), (MAX_UPLOAD + 1, "upload-too-large")])
def test_announced_bodies_are_bounded_to_the_byte(client: RawClient, size: int, problem: str) -> None:
    client.send(head(f"Content-Length: {size}"), bytes(size))

    assert client.answer().problem == problem


@pytest.mark.parametrize("piece", [1000, MAX_UPLOAD])
@pytest.mark.parametrize(("size", "problem"), [(MAX_UPLOAD, "unknown-format"), (MAX_UPLOAD + 1, "upload-too-large")])
def test_chunked_bodies_are_bounded_to_the_byte(client: RawClient, size: int, problem: str, piece: int) -> None:
    body = bytes(size)
    client.send(head(CHUNKED), chunked(*(body[start : start + piece] for start in range(0, size, piece))))

    assert client.answer().problem == problem


def test_a_client_that_sends_on_reads_its_refusal(client: RawClient) -> None:
    """The connection is closed only after up to 1 MiB more was read: else the answer would be reset away."""
    client.send(head("Content-Length: 900000"))
    client.send(bytes(900_000))

    answer = client.answer()
    assert (answer.status, answer.closes) == (413, True)
    assert client.is_closed()


# --- bodies: time ---


def test_a_body_that_stops_is_given_up(client: RawClient) -> None:
    client.send(head("Content-Length: 100"), b"x")

    answer = client.answer()
    assert (answer.status, answer.problem, answer.closes) == (408, "upload-too-slow", True)
    assert b"for 1 s" in answer.body


def test_a_body_of_one_byte_at_a_time_is_given_up(client: RawClient) -> None:
    client.send(head("Content-Length: 100"))
    client.drip(bytes(30), every_s=0.1)

    answer = client.answer()
    assert (answer.status, answer.problem) == (408, "upload-too-slow")
    assert b"after 2 s" in answer.body


# --- Expect: 100-continue ---


def test_the_body_is_asked_for_where_it_is_wanted(client: RawClient) -> None:
    client.send(head(f"Content-Length: {len(PICTURE)}", "Expect: 100-Continue"))
    assert client.answer().status == 100
    client.send(PICTURE)

    assert client.answer().status == 200


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (head(f"Content-Length: {MAX_UPLOAD + 1}", "Expect: 100-continue"), 413),
        (head("Content-Length: 9", "Expect: 100-continue", line="POST /models/none/predict HTTP/1.1"), 404),
        (head("Content-Length: 9", "Expect: 100-continue", line="POST /predict?top_k=x HTTP/1.1"), 400),
        (head("Content-Length: 0", "Expect: 100-continue"), 400),
        (head("Content-Length: 9", "Expect: 100-continue", "Host: other"), 400),
    ],
    ids=["too large", "unknown model", "bad parameter", "no body", "bad head"],
)
def test_a_body_that_is_not_wanted_is_not_asked_for(client: RawClient, request_head: bytes, status: int) -> None:
    client.send(request_head)

    assert client.answer().status == status


def test_http_1_0_knows_no_continue(client: RawClient) -> None:
    client.send(head("Content-Length: 9", "Expect: 100-continue", line="POST /predict HTTP/1.0"))
    client.send(b"123456789")

    assert client.answer().status == 415


# --- what is in the body ---


def post_form(client: RawClient, body: bytes) -> str:
    lines = ["POST /predict HTTP/1.1", "Host: it", f"Content-Type: {FORM}", f"Content-Length: {len(body)}"]
    client.send("".join(f"{line}\r\n" for line in lines).encode(), b"\r\n", body)
    return client.answer().problem


@pytest.mark.parametrize(("parts", "problem"), [(63, ""), (64, "bad-multipart")])
def test_the_parts_of_a_form_are_counted(client: RawClient, parts: int, problem: str) -> None:
    junk = [('name="junk"', b"x")] * parts

    assert post_form(client, form(*junk, ('name="file"', PICTURE))) == problem


@pytest.mark.parametrize(("size", "problem"), [(100, ""), (5_000, "bad-multipart")])
def test_the_headers_of_a_part_are_bounded(client: RawClient, size: int, problem: str) -> None:
    assert post_form(client, form((f'name="file"; filename="{"x" * size}"', PICTURE))) == problem


@pytest.mark.parametrize(("side", "problem"), [(300, ""), (301, "too-many-pixels")])
def test_pixels_are_counted_in_the_header_of_the_picture(client: RawClient, side: int, problem: str) -> None:
    data = picture(RED, size=(side, 300))
    client.send(head(f"Content-Length: {len(data)}"), data)

    assert client.answer().problem == problem


def test_a_format_is_told_by_its_first_bytes(client: RawClient) -> None:
    data = b"II*\x00" + bytes(100)  # TIFF, which only the trainer takes
    client.send(head(f"Content-Length: {len(data)}"), data)

    assert client.answer().problem == "unknown-format"
