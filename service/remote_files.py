"""Files at an address, as a store of models reads them: small ones whole, large ones piece by piece, none for ever."""

from collections.abc import Callable
from typing import Any, Protocol

from service.store_errors import StoreUnreachable
from shared.addresses import shown
from shared.errors import FinialError
from shared.remote import RemotePlace, what_failed

SLOWEST_BYTES_PER_S = 64 * 1024
"""Whoever is slower is given up: a server that drips would otherwise keep newer versions out for ever."""

_PIECE_BYTES = 4 * 1024**2


class RemoteFiles(Protocol):
    """Files below one address. Names are relative to it, parted by slashes."""

    def folders(self) -> frozenset[str]:
        """Names of the folders right below it.

        Raises:
            StoreUnreachable: that cannot be told.
        """

    def read(self, name: str, *, limit: int) -> bytes:
        """The content of a small file, or of a longer one as many bytes as `limit` and perhaps one more.

        Raises:
            FileNotFoundError: it is not there, says the other side.
            StoreUnreachable: no answer, or no good one.
        """

    def doubt(self, name: str) -> None:
        """Ask for the whole of a small file next time, whatever is known of it: what came was of no use."""

    def fetch(self, name: str, take: Callable[[bytes], object], *, size_bytes: int) -> None:
        """Hand over the content of a file piece by piece, up to a piece more than `size_bytes`.

        Raises:
            FileNotFoundError, StoreUnreachable: as `read`.
        """

    def close(self) -> None:
        """Break off what is under way, as far as that can be."""


def longest_s(size_bytes: int, *, timeout_s: float) -> float:
    """How long it may take to get so many bytes."""
    return timeout_s + size_bytes / SLOWEST_BYTES_PER_S


def unreachable(error: Exception, location: str, *, timeout_s: float) -> Exception:
    """What to raise for an error of a file system: ours and absences as they are, all else as StoreUnreachable."""
    if isinstance(error, FinialError):
        return error
    if isinstance(error, TimeoutError):
        return StoreUnreachable(shown(location), f"no answer within {timeout_s:g} s, or a slower one than is of use")
    return StoreUnreachable(shown(location), what_failed(error, location))


class ObjectFiles:
    """Files in an object store, or whatever else fsspec reads.

    What fsspec has no conditional requests for is read again each time: `current` is 28 bytes, and to ask whether it
    changed costs the same request as to read it.

    Args:
        place: the address, opened.
        timeout_s: how long one request may take, besides the time that its bytes need.
    """

    def __init__(self, place: RemotePlace, *, timeout_s: float) -> None:
        self._place, self._timeout_s = place, timeout_s
        # Only what is asynchronous inside takes a time limit with each call; elsewhere the library's own has to do.
        self._takes_limits = bool(getattr(place.files, "async_impl", False))

    def folders(self) -> frozenset[str]:
        """Lists the address. One that is not there cannot be told from one that was emptied, or not mounted."""
        try:
            found = self._ask(self._place.files.ls, self._place.path, size_bytes=_PIECE_BYTES, detail=True)
        except Exception as error:
            raise unreachable(error, self._place.location, timeout_s=self._timeout_s) from error
        folders = (entry["name"] for entry in found if entry["type"] == "directory")
        return frozenset(path.rstrip("/").rpartition("/")[2] for path in folders)

    def read(self, name: str, *, limit: int) -> bytes:
        """Asks for no more than `limit` bytes."""
        return self._piece(name, 0, limit)

    def doubt(self, name: str) -> None:
        """The whole is asked for every time."""

    def fetch(self, name: str, take: Callable[[bytes], object], *, size_bytes: int) -> None:
        """Asks piece by piece, and never for more than `size_bytes`."""
        for start in range(0, size_bytes, _PIECE_BYTES):
            take(self._piece(name, start, min(start + _PIECE_BYTES, size_bytes)))

    def close(self) -> None:
        """A piece that is under way ends by its time limit."""

    def _piece(self, name: str, start: int, end: int) -> bytes:
        path = f"{self._place.path.rstrip('/')}/{name}"
        try:
            found: bytes = self._ask(self._place.files.cat_file, path, size_bytes=end - start, start=start, end=end)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise unreachable(error, self._place.location, timeout_s=self._timeout_s) from error
        return found

    def _ask(self, method: Callable[..., Any], path: str, *, size_bytes: int, **how: Any) -> Any:
        if self._takes_limits:
            how["timeout"] = longest_s(size_bytes, timeout_s=self._timeout_s)
        return method(path, **how)
