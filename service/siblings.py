"""The workers of one service ask one another for their metrics, so that whichever is scraped answers for all.

Each listens on a socket of the file system, in a folder that only their user may enter.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

ANSWER_WITHIN_S = 1.0

_END = b"# EOF\n"  # a worker that dies while it tells ends the stream as well

Texts = dict[str, bytes | None]


class Siblings:
    """All workers, seen from one of them.

    Args:
        folder: where the sockets are.
        own: this worker's number.
        count: how many there are, numbered from 0.
    """

    def __init__(self, folder: Path, *, own: int, count: int) -> None:
        self._folder, self._own, self._count = folder, own, count

    @property
    def own(self) -> int:
        """This worker's number."""
        return self._own

    @contextlib.asynccontextmanager
    async def answering(self, text: Callable[[], bytes]) -> AsyncIterator[None]:
        """Tell the others, whenever they ask."""

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                with contextlib.suppress(ConnectionError):
                    writer.write(text() + _END)
                    await writer.drain()
            finally:
                writer.close()

        path = self._path(self._own)
        path.unlink(missing_ok=True)  # that of a worker that died in this place
        server = await asyncio.start_unix_server(answer, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def texts(self, own: bytes) -> Texts:
        """What each worker says, by its number; None for one that does not answer in time, or not to the end."""
        others = [number for number in range(self._count) if number != self._own]
        answers = await asyncio.gather(*(self._ask(number) for number in others))
        told = {self._own: own, **dict(zip(others, answers, strict=True))}
        return {str(number): told[number] for number in sorted(told)}

    async def _ask(self, number: int) -> bytes | None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(self._path(number))
                with contextlib.closing(writer):
                    told = await reader.read()
        except (OSError, TimeoutError):
            return None
        return told.removesuffix(_END) if told.endswith(_END) else None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.socket"
