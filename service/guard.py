"""Who may ask for what, and how often: judged from a request's head, before anything is done for it."""

from collections.abc import Callable

from starlette.types import Scope

from service.access_errors import AdminClosed, KeyMissing, KeyNotAllowed, KeyUnknown, RateLimited
from service.errors import ServiceError
from service.key_file import Right
from service.key_ring import Caller, KeyRing, key_in
from service.open_paths import right_for
from service.rate_limit import RateLimit, retry_after_s

KEY = "key"
"""Key of a scope's state: name of the caller's API key."""
EXPIRED_KEY = "expired_key"
"""Key of a scope's state: name of the API key whose time is over; for the log, and not for who asks."""
_PASSED = "passed_guard"


class Guard:
    """Checks keys where there are any; without, all is open but the admin verbs. For one thread, the event loop's.

    Args:
        ring: the keys of this moment; None where the service has none.
        limit: how many requests each may make.
    """

    def __init__(self, ring: Callable[[], KeyRing] | None, limit: RateLimit) -> None:
        self._ring, self._limit = ring, limit
        self._seen: KeyRing | None = None

    def refusal(self, scope: Scope) -> ServiceError | None:
        """Why a request is not let in, or None. One that was let in is not asked, nor counted, a second time."""
        state = scope.setdefault("state", {})
        if _PASSED in state:
            return None
        try:
            self._check(right_for(scope["path"]), scope)
        except ServiceError as error:
            return error
        state[_PASSED] = True
        return None

    def _check(self, right: Right | None, scope: Scope) -> None:
        if right is None:
            return
        if self._ring is None:
            if right == "admin":
                raise AdminClosed
            return
        caller = self._caller(self._current(self._ring()), scope)
        scope["state"][KEY] = caller.name
        if right not in caller.rights:
            raise KeyNotAllowed(right)
        if caller.per_minute is not None and (wait_s := self._limit.take(caller.name, caller.per_minute)):
            after_s = retry_after_s(wait_s)
            raise RateLimited(per_minute=caller.per_minute, retry_after_s=after_s, share=self._limit.share)

    def _current(self, ring: KeyRing) -> KeyRing:
        if ring is not self._seen:
            self._limit.keep(ring.names)
            self._seen = ring
        return ring

    @staticmethod
    def _caller(ring: KeyRing, scope: Scope) -> Caller:
        key = key_in(scope["headers"])
        if key is None:
            raise KeyMissing(has_authorization=any(name == b"authorization" for name, _ in scope["headers"]))
        match = ring.match(key)
        if match is not None and match.is_valid:
            return match.caller
        if match is not None:
            scope["state"][EXPIRED_KEY] = match.caller.name
        raise KeyUnknown
