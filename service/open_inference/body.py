"""The body of an inference request, unpacked where it is compressed: piece by piece, so that a bomb is a refusal."""

import asyncio
import zlib

from starlette.requests import Request

from service.request_errors import InferenceMalformed, UnsupportedEncoding
from service.upload_limit import note_unpacked

PIECE_BYTES = 64 * 1024
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read_body(request: Request) -> bytes:
    """The whole body; the same limits hold for what is sent and for what that is unpacked to.

    Raises:
        UnsupportedEncoding: another Content-Encoding than gzip, deflate or none.
        InferenceMalformed: it is not what its encoding says.
        UploadTooLarge, UploadTooSlow, TooManyUploads: as the limits say.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return await request.body()
    if encoding not in _WINDOW_BITS:
        raise UnsupportedEncoding(encoding)
    return await _unpacked(request, encoding)


async def _unpacked(request: Request, encoding: str) -> bytes:
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
    body, goes_on = bytearray(), False
    try:
        async for piece in request.stream():
            left, found_bytes = piece, PIECE_BYTES
            goes_on |= unpacker.eof and bool(piece)
            while not unpacker.eof and (left or found_bytes == PIECE_BYTES):  # a full piece may not be all there is
                found = unpacker.decompress(left, PIECE_BYTES)
                left, found_bytes = unpacker.unconsumed_tail, len(found)
                note_unpacked(request.scope, found_bytes)
                body += found
                await asyncio.sleep(0)  # others have their turn between two pieces
    except zlib.error as error:
        raise InferenceMalformed(f"the body is not {encoding} ({error})") from error
    if goes_on or not unpacker.eof or unpacker.unused_data or unpacker.unconsumed_tail:
        raise InferenceMalformed(f"the body breaks off before its {encoding} ends, or goes on after it")
    return bytes(body)
