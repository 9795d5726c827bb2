"""What llhttp lets pass and we do not; the whole road is in tests/integration/test_connections.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.connection_errors import RequestMalformed
from service.heads import fault_of, origin_form, waits_for_continue, without_upgrade

HOST = (b"host", b"it")
CHUNKED = (b"transfer-encoding", b"Chunked")
EXPECT = (b"expect", b"100-Continue")


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", [HOST]),
        ("1.1", [HOST, CHUNKED]),
        ("1.1", [(b"host", b"")]),
        ("1.1", [HOST, (b"content-length", b"9" * 20)]),
        ("1.0", []),
        ("1.0", [HOST]),
    ],
)
def test_what_means_one_thing_passes(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    assert fault_of(version, headers) is None


@pytest.mark.parametrize(
    ("version", "headers", "reason"),
    [
        ("0.9", [], "HTTP/0.9"),
        ("2.0", [HOST], "HTTP/2.0"),
        ("1.1", [], "0 Host headers"),
        ("1.1", [HOST, HOST], "2 Host headers"),
        ("1.0", [HOST, HOST], "2 Host headers"),
        ("1.0", [CHUNKED], "knows no Transfer-Encoding"),
        ("1.1", [HOST, (b"transfer-encoding", b"gzip, chunked")], "'gzip, chunked'"),
        ("1.1", [HOST, CHUNKED, CHUNKED], "'Chunked, Chunked'"),
        ("1.1", [HOST, (b"content-length", b"0" * 5000 + b"1")], "more than 20 digits"),
    ],
)
def test_what_does_not_is_told(version: str, headers: list[tuple[bytes, bytes]], reason: str) -> None:
    assert reason in str(fault_of(version, headers))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/predict?top_k=1", b"/predict?top_k=1"),
        (b"http://it/predict?top_k=1", b"/predict?top_k=1"),
        (b"http://it", b"/"),
        (b"http://it?x=1", b"/?x=1"),
        (b"//a//b", b"//a//b"),
        (b"*", b"*"),
    ],
)
def test_a_target_names_a_path_in_whichever_form(target: bytes, path: bytes) -> None:
    assert origin_form(target) == path


@pytest.mark.parametrize("target", [b"", b"foo", b"it:80", b"http://it:99999/", b"/\xc3\xa9"])
def test_a_target_that_is_none_is_told(target: bytes) -> None:
    with pytest.raises(RequestMalformed, match=r"its target is '.*', expected a path"):
        origin_form(target)


@pytest.mark.parametrize(
    ("version", "headers", "waits"),
    [
        ("1.1", [EXPECT, (b"content-length", b"10")], True),
        ("1.1", [EXPECT, CHUNKED], True),
        ("1.1", [EXPECT, (b"content-length", b"00")], False),
        ("1.1", [EXPECT], False),
        ("1.0", [EXPECT, (b"content-length", b"10")], False),
        ("1.1", [(b"content-length", b"10")], False),
    ],
)
def test_a_body_is_waited_for_only_where_there_is_one(
    version: str, headers: list[tuple[bytes, bytes]], *, waits: bool
) -> None:
    assert waits_for_continue(version, headers) is waits


def test_an_offer_to_upgrade_is_left_out_and_nothing_else() -> None:
    offer = [(b"connection", b"Upgrade"), (b"upgrade", b"h2c")]
    head = without_upgrade(b"POST", b"/predict?top_k=1", "1.1", [HOST, *offer, (b"content-length", b"5")])

    assert head == b"POST /predict?top_k=1 HTTP/1.1\r\nhost: it\r\ncontent-length: 5\r\n\r\n"


@pytest.mark.parametrize("options", [b"close, Upgrade", b"upgrade,close", b"Upgrade, , close"])
def test_the_other_options_of_a_connection_stay(options: bytes) -> None:
    head = without_upgrade(b"GET", b"/", "1.1", [HOST, (b"connection", options), (b"upgrade", b"h2c")])

    assert head == b"GET / HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n"


@given(st.lists(st.tuples(st.sampled_from([b"host", b"transfer-encoding", b"x"]), st.binary(max_size=9)), max_size=4))
def test_any_headers_have_a_verdict(headers: list[tuple[bytes, bytes]]) -> None:
    fault_of("1.1", headers)
    waits_for_continue("1.1", headers)
