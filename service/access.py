"""Who may ask, as the settings say it: the guard with its keys, and what browsers are told."""

from types import TracebackType
from typing import Self

from service.access_settings import AccessSettings
from service.cors import Cors
from service.guard import Guard
from service.key_follower import KeyFollower
from service.rate_limit import RateLimit


class Access:
    """Both for one process; entered, it follows the file of keys.

    Args:
        settings: name the file and the origins.
        workers: how many processes share a key's rate.
    """

    def __init__(self, settings: AccessSettings, *, workers: int = 1) -> None:
        self._follower = KeyFollower(settings.api_keys) if settings.api_keys else None
        follower = self._follower
        self.guard = Guard(None if follower is None else lambda: follower.ring, RateLimit(share=1 / workers))
        self.cors = Cors(settings.allow_origin)

    @property
    def keys_age_s(self) -> float | None:
        """Seconds since the file of keys could last be used; None where there is none."""
        return None if self._follower is None else self._follower.age_s

    def __enter__(self) -> Self:
        if self._follower is not None:
            self._follower.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._follower is not None:
            self._follower.__exit__(kind, error, trace)
