"""Limits on a body act before anything parses it."""

from dataclasses import replace

import pytest

from service.request_errors import UploadTooLarge, UploadTooSlow
from service.upload_limit import UploadBounds, UploadLimit
from tests.service.asgi import Client, call, reads_everything, reads_nothing, scope_of

BOUNDS = UploadBounds(max_bytes=10, max_bytes_together=100, idle_s=60.0, timeout_s=60.0)
LIMITED = UploadLimit(reads_everything, bounds=BOUNDS)


@pytest.mark.parametrize("pieces", [[b"0123456789"], [b"01234", b"56789"], [b"0123456789", b""], [b""]])
def test_a_body_of_exactly_the_limit_passes(pieces: list[bytes]) -> None:
    client = call(LIMITED, scope_of(("Content-Length", str(len(b"".join(pieces))))), Client(pieces))

    assert client.body == b"".join(pieces)


def test_an_announced_byte_too_many_is_refused_before_the_first_is_read() -> None:
    client = Client([b"0123456789a"])

    with pytest.raises(UploadTooLarge, match="has 11 bytes; at most 10"):
        call(LIMITED, scope_of(("Content-Length", "11")), client)
    assert client.read == 0


def test_an_unannounced_byte_too_many_is_refused_when_it_comes() -> None:
    """Chunked bodies announce nothing."""
    client = Client([b"01234", b"56789", b"a", b"never read"])

    with pytest.raises(UploadTooLarge, match="at least 11 bytes"):
        call(LIMITED, scope_of(("Transfer-Encoding", "chunked")), client)
    assert client.read == 3


def test_a_body_that_does_not_come_to_its_end_is_given_up() -> None:
    limited = UploadLimit(reads_everything, bounds=replace(BOUNDS, timeout_s=0.02))

    with pytest.raises(UploadTooSlow, match=r"after 0\.02 s"):
        call(limited, scope_of(("Content-Length", "10")), Client([b"01234"], stays_silent=True))


def test_a_route_that_ignores_the_body_is_not_disturbed() -> None:
    limited = UploadLimit(reads_nothing, bounds=BOUNDS)

    assert call(limited, scope_of(("Content-Length", "99999")), Client([b"x"])).body == b"no, thanks"


def test_waiting_for_the_client_to_go_is_not_limited_in_time() -> None:
    """An app may listen for the disconnect while it works."""

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        await reads_everything(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    bounds = replace(BOUNDS, timeout_s=1e-3)
    call(UploadLimit(app, bounds=bounds), scope_of(), Client([b""]))
