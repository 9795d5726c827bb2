"""Who is let in, and what the others are told."""

from datetime import date

import pytest

from service.access_errors import AdminClosed, KeyMissing, KeyNotAllowed, KeyUnknown, RateLimited
from service.guard import EXPIRED_KEY, KEY, Guard
from service.guard_middleware import Guarded
from service.key_file import entry_of
from service.key_ring import KeyRing
from service.rate_limit import RateLimit
from tests.service.asgi import Client, call, reads_everything, scope_of
from tests.service.fakes import FakeClock

RING = KeyRing(
    {
        "anna": entry_of("a"),
        "boss": entry_of("b", rights=["predict", "admin"]),
        "busy": entry_of("c", per_minute=2),
        "robot": entry_of("d", rights=["admin"]),
    }
)
ADMIN = "/admin/models/cats/reload"


def guard(ring: KeyRing | None = RING) -> Guard:
    return Guard(None if ring is None else lambda: ring, RateLimit(clock=FakeClock()))


@pytest.mark.parametrize(
    ("path", "key", "error"),
    [
        ("/predict", None, KeyMissing),
        ("/predict", "x", KeyUnknown),
        ("/predict", "a", None),
        ("/predict", "d", KeyNotAllowed),
        ("/no/such/route", None, KeyMissing),
        ("/health", None, KeyMissing),
        ("/metrics/", None, KeyMissing),
        ("/page", None, KeyMissing),
        ("/health/ready", None, None),
        ("/metrics", "x", None),
        ("/page/page.js", None, None),
        (ADMIN, None, KeyMissing),
        (ADMIN, "a", KeyNotAllowed),
        (ADMIN, "b", None),
        (ADMIN, "d", None),
    ],
)
def test_every_path_but_the_open_ones_needs_a_key_that_is_good_for_it(
    path: str, key: str | None, error: type[Exception] | None
) -> None:
    headers = [] if key is None else [("X-Api-Key", key)]
    refusal = guard().refusal(scope_of(*headers, path=path))

    assert (refusal and type(refusal)) == error


def test_without_keys_all_is_open_but_the_admin_verbs() -> None:
    assert guard(None).refusal(scope_of()) is None
    assert isinstance(guard(None).refusal(scope_of(path=ADMIN)), AdminClosed)
    assert isinstance(guard(None).refusal(scope_of(("X-Api-Key", "b"), path=ADMIN)), AdminClosed)


def test_the_keys_name_is_known_to_whoever_comes_later() -> None:
    scope = scope_of(("Authorization", "Bearer a"))
    guard().refusal(scope)

    assert scope["state"][KEY] == "anna"


def test_a_key_whose_time_is_over_is_named_to_the_log_and_to_nobody_else() -> None:
    ring = KeyRing({"gone": entry_of("a", expires=date(2020, 1, 1))})
    scope = scope_of(("X-Api-Key", "a"))
    refusal = guard(ring).refusal(scope)

    assert isinstance(refusal, KeyUnknown)
    assert (scope["state"].get(KEY), scope["state"][EXPIRED_KEY]) == (None, "gone")
    assert "gone" not in str(refusal)


def test_a_key_without_bearer_is_told_what_is_missing() -> None:
    assert "does not begin with `Bearer `" in str(guard().refusal(scope_of(("Authorization", "a"))))
    assert "Bearer `;" not in str(guard().refusal(scope_of()))


def test_a_worker_tells_its_own_share_of_a_limit() -> None:
    asked = Guard(lambda: RING, RateLimit(share=0.5, clock=FakeClock()))
    _, refusal = (asked.refusal(scope_of(("X-Api-Key", "c"))) for _ in range(2))

    assert "2 a minute, of which the worker that was asked grants 1. " in str(refusal)


def test_who_was_let_in_once_is_not_counted_again() -> None:
    """The connection asks, and the app asks again."""
    asked = guard()
    scopes = [scope_of(("X-Api-Key", "c")) for _ in range(2)]

    assert [asked.refusal(scope) for scope in scopes + scopes] == [None] * 4
    refusal = asked.refusal(scope_of(("X-Api-Key", "c")))
    assert isinstance(refusal, RateLimited)
    assert refusal.headers == {"Retry-After": "30"}


def test_a_client_cannot_say_that_it_was_let_in() -> None:
    scope = scope_of(("passed_guard", "true"), ("state", "passed_guard"))

    assert isinstance(guard().refusal(scope), KeyMissing)


def test_who_is_not_let_in_is_told_why_and_sends_nothing() -> None:
    client = call(Guarded(reads_everything, guard=guard()), scope_of(), Client([b"picture"]))

    assert (client.sent[0]["status"], client.read) == (401, 0)
    assert client.headers["www-authenticate"] == "Bearer"
    assert b"key-missing" in client.body


def test_who_is_let_in_is_passed_on() -> None:
    client = call(Guarded(reads_everything, guard=guard()), scope_of(("X-Api-Key", "a")), Client([b"picture"]))

    assert (client.sent[0]["status"], client.body) == (200, b"picture")
