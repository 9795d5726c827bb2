"""Which key a request brings: compared with all, in a time that tells nothing of them."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from service.key_file import KeyEntries, KeyEntry, Right

LONGEST_KEY_BYTES = 256

_BEARER = b"bearer "

RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Caller:
    """Whose request it is.

    Attributes:
        name: the key's.
        rights: what it may do.
        per_minute: how many requests it may make; None for as many as it likes.
    """

    name: str
    rights: frozenset[Right]
    per_minute: int | None


@dataclass(frozen=True)
class _Known:
    digest: bytes
    entry: KeyEntry
    caller: Caller


class KeyRing:
    """The keys of one reading of the file.

    Args:
        entries: by name.
        clock: the time of day.
    """

    def __init__(self, entries: KeyEntries, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._known = [
            _Known(bytes.fromhex(entry.sha256), entry, Caller(name, frozenset(entry.rights), entry.per_minute))
            for name, entry in entries.items()
        ]
        self._clock = clock

    @property
    def names(self) -> frozenset[str]:
        """Names of all keys, also of those that are over."""
        return frozenset(known.caller.name for known in self._known)

    def find(self, key: bytes) -> Caller | None:
        """Whose key this is; None where it is nobody's, or its time is over. Every key is compared, found or not."""
        if len(key) > LONGEST_KEY_BYTES:
            return None
        digest = hashlib.sha256(key).digest()
        found = None
        for known in self._known:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found.caller if found is not None and found.entry.is_valid(self._clock()) else None


def key_in(headers: RawHeaders) -> bytes | None:
    """The key that a request's head brings: `X-Api-Key`, or else a bearer token; None where there is neither.

    Other ways to authorize, such as a proxy's, are left alone.
    """
    bearer = None
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            bearer = value[len(_BEARER) :].strip()
    return bearer
