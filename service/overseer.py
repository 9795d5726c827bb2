"""Tells of looks that do not end. Nothing else would: whoever hangs in a file system cannot say so."""

import logging
from collections.abc import Mapping

from service.follower import Follower
from service.registry import Registry
from service.store_errors import LookLate

logger = logging.getLogger(__name__)

LATE_S = 30.0


class Overseer:
    """Looks at how long ago models, and the list of them, were looked at.

    Args:
        registry: knows when.
        origin: where models come from, as it may be printed.
        interval_s: the pause between two looks; 30 s more than that are late.
    """

    def __init__(self, registry: Registry, *, origin: str, interval_s: float) -> None:
        self._registry, self._origin, self._bound_s = registry, origin, interval_s + LATE_S
        self._late: set[str | None] = set()
        self._told: set[str | None] = set()

    def oversee(self, followers: Mapping[str, Follower]) -> None:
        """Tell once of each look that is late; of the next one again."""
        ages: dict[str | None, float] = {}
        ages.update(self._registry.look_ages())
        if (listing_age_s := self._registry.listing_age_s) is not None:
            ages[None] = listing_age_s
        late = {name: age for name, age in ages.items() if age > self._bound_s}
        # After a pause of the whole process all are late; by the next time, only those that hang.
        to_tell = late.keys() & self._late - self._told
        for name in to_tell:
            if name is None:
                self._tell_listing(late[name])
            elif name in followers:
                followers[name].tell_late(late[name])
        self._late = set(late)
        self._told = self._late & (self._told | to_tell)

    def _tell_listing(self, age_s: float) -> None:
        error = LookLate(self._origin, "which models there are", age_s=age_s, doing="listing them")
        self._registry.note_store_error(str(error))
        logger.error("look does not end", extra={"error": str(error)})
