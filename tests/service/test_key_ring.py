"""Which key a request brings."""

import hmac
from datetime import UTC, date, datetime

import pytest

from service.key_file import entry_of
from service.key_ring import KeyRing, key_in

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)


def ring_of(**keys: str) -> KeyRing:
    return KeyRing({name: entry_of(key) for name, key in keys.items()}, clock=lambda: NOW)


def test_a_key_is_found_by_all_of_it() -> None:
    ring = ring_of(anna="finial_a", bert="finial_b")

    found = ring.find(b"finial_b")
    assert found is not None
    assert (found.name, found.rights, found.per_minute) == ("bert", {"predict"}, None)
    assert [ring.find(key) for key in (b"finial_", b"finial_bb", b"FINIAL_B", b"", b"x" * 10_000)] == [None] * 5


def test_a_key_whose_time_is_over_is_nobodys() -> None:
    over, last_day = entry_of("a", expires=date(2027, 1, 30)), entry_of("b", expires=date(2027, 1, 31))
    ring = KeyRing({"over": over, "last_day": last_day}, clock=lambda: NOW)

    assert ring.find(b"a") is None
    assert ring.find(b"b") is not None


@pytest.mark.parametrize("key", [b"finial_a", b"finial_c", b"finial_unknown"])
def test_every_key_is_compared_whichever_it_is(key: bytes) -> None:
    """Where the search ended early, its time would tell how far it came."""
    compared: list[bytes] = []

    def equal(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return hmac.compare_digest(one, other)

    entries = {name: entry_of(f"finial_{name}") for name in "abc"}
    KeyRing(entries, equal=equal).find(key)

    assert len(set(compared)) == len(compared) == 3


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        ([(b"authorization", b"Bearer k")], b"k"),
        ([(b"authorization", b"bearer  k ")], b"k"),
        ([(b"authorization", b"Basic k")], None),
        ([(b"authorization", b"Bearer")], None),
        ([(b"x-api-key", b" k ")], b"k"),
        ([(b"authorization", b"Basic of-a-proxy"), (b"x-api-key", b"k")], b"k"),
        ([(b"authorization", b"Bearer of-a-proxy"), (b"x-api-key", b"k")], b"k"),
        ([(b"cookie", b"k"), (b"x-api-keys", b"k")], None),
    ],
)
def test_a_key_comes_in_either_of_two_headers(headers: list[tuple[bytes, bytes]], key: bytes | None) -> None:
    assert key_in(headers) == key
