"""A server that reads a request and answers at once, without looking at it: what a client costs, and nothing else.

The bare loop runs beside it, so that it can be seen how much of the machine the client takes from whoever is measured.
"""

import asyncio
from typing import cast

import uvloop

from bench.peers.model import peer_arguments

BODY = b'{"label":"a","score":1.0,"predictions":[{"label":"a","score":1.0}]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
_LENGTH = b"content-length:"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._held, self._missing = b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Count bytes; answer when a body is whole."""
        if self._missing:
            self._missing -= len(data)
        else:
            self._held += data
            head, end, rest = self._held.partition(b"\r\n\r\n")
            if not end:
                return
            length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0])
            self._held, self._missing = b"", length - len(rest)
        if self._missing <= 0:
            self._transport.write(ANSWER)


async def serve(port: int) -> None:
    """Until it is ended."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = peer_arguments(__doc__)
    uvloop.run(serve(parser.parse_args().port))
