"""How many pictures may be unusable, said once for all verbs."""

from collections.abc import Sequence

from trainer.errors import TooManyUnusable
from trainer.samples import PassedOver


def refuse_too_many(unusable: Sequence[PassedOver], *, total: int, max_bad: float) -> None:
    """Refuse when none of `total` pictures is left, or more than the share `max_bad` of them cannot be used.

    Raises:
        TooManyUnusable: names the first few, with reasons.
    """
    if len(unusable) == total or len(unusable) > max_bad * total:
        raise TooManyUnusable([(one.name, one.reason) for one in unusable], total=total, max_bad=max_bad)
