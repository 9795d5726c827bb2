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
class Match:
    """A key that the file knows, and whether its time is not over."""

    caller: Caller
    is_valid: bool


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
        equal: compares two digests in a time that tells nothing of them.
    """

    def __init__(
        self,
        entries: KeyEntries,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        equal: Callable[[bytes, bytes], bool] = hmac.compare_digest,
    ) -> None:
        self._known = [
            _Known(bytes.fromhex(entry.sha256), entry, Caller(name, frozenset(entry.rights), entry.per_minute))
            for name, entry in entries.items()
        ]
        self._clock, self._equal = clock, equal

    @property
    def names(self) -> frozenset[str]:
        """Names of all keys, also of those that are over."""
        return frozenset(known.caller.name for known in self._known)

    def find(self, key: bytes) -> Caller | None:
        """Whose key this is; None where it is nobody's, or its time is over."""
        match = self.match(key)
        return match.caller if match is not None and match.is_valid else None

    def match(self, key: bytes) -> Match | None:
        """Whose key this is or was; None where it is nobody's. Every key is compared, found or not."""
        if len(key) > LONGEST_KEY_BYTES:
            return None
        digest = hashlib.sha256(key).digest()
        found = None
        for known in self._known:
            if self._equal(known.digest, digest):
                found = known
        return None if found is None else Match(found.caller, found.entry.is_valid(self._clock()))


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
