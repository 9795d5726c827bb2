"""A compressed body is unpacked within the limits that hold for any other."""

import gzip
import zlib

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from service.open_inference.body import PIECE_BYTES, read_body
from service.request_errors import InferenceMalformed, TooManyUploads, UnsupportedEncoding, UploadTooLarge
from service.upload_limit import UploadBounds, UploadLimit
from tests.service.asgi import Client, call, scope_of

BOUNDS = UploadBounds(max_bytes=2**20, max_bytes_together=2**22, idle_s=60.0, timeout_s=60.0)
TEXT = bytes(range(256)) * 1024
PACKED = {"gzip": gzip.compress(TEXT), "deflate": zlib.compress(TEXT), "identity": TEXT, "": TEXT}


class Reads:
    """An application that reads the body, and stops there."""

    body = b""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        self.body = await read_body(Request(scope, receive))


def read(encoding: str, *pieces: bytes, bounds: UploadBounds = BOUNDS) -> bytes:
    app = Reads()
    call(UploadLimit(app, bounds=bounds), scope_of(("Content-Encoding", encoding)), Client(pieces))
    return app.body


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_comes_out_as_it_was_packed_however_it_is_cut(encoding: str) -> None:
    packed = PACKED[encoding]

    assert read(encoding, packed) == TEXT
    assert read(encoding, *(packed[at : at + 100] for at in range(0, len(packed), 100))) == TEXT


def test_what_ends_exactly_with_a_piece_is_whole() -> None:
    text = b"\0" * (4 * PIECE_BYTES)

    assert read("gzip", gzip.compress(text)) == text


def test_a_bomb_is_refused_when_it_passes_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 2**28)

    with pytest.raises(UploadTooLarge, match="unpacked at least 1,114,112 bytes"):
        read("gzip", bomb)


def test_what_is_unpacked_counts_among_all_that_is_held() -> None:
    """A thousand small bodies must not become gigabytes."""

    class ReadsTwo(Reads):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            if "inner" not in scope:
                inner = {**scope_of(("Content-Encoding", "gzip")), "inner": True}
                await limited(inner, Client([gzip.compress(b"\0" * 2**19)]).receive, send)

    limited = UploadLimit(ReadsTwo(), bounds=UploadBounds(2**20, 3 * 2**18, idle_s=60.0, timeout_s=60.0))

    for _ in range(2):  # and nothing of it is held afterwards
        with pytest.raises(TooManyUploads):
            call(limited, scope_of(("Content-Encoding", "gzip")), Client([gzip.compress(b"\0" * 2**19)]))


@pytest.mark.parametrize(
    "body",
    [b"", b"x", PACKED["gzip"][:-1], PACKED["gzip"] + b"x", PACKED["deflate"], PACKED["gzip"][:-8] + b"12345678"],
)
def test_what_is_not_what_its_encoding_says_is_refused(body: bytes) -> None:
    with pytest.raises(InferenceMalformed):
        read("gzip", body)
    with pytest.raises(InferenceMalformed):
        read("gzip", body[:-1], body[-1:])


def test_another_encoding_is_refused() -> None:
    with pytest.raises(UnsupportedEncoding, match="'br'; expected gzip, deflate or none"):
        read("br", b"x")
