"""How many pictures may be unusable, said once for all verbs."""

from collections.abc import Sequence

from trainer.errors.audit import TooManyUnusable
from trainer.samples import Manifest, PassedOver


def refuse_too_many(unusable: Sequence[PassedOver], *, total: int, max_bad: float) -> None:
    """Refuse when none of `total` pictures is left, or more than the share `max_bad` of them cannot be used.

    Raises:
        TooManyUnusable: names the first few, with reasons.
    """
    if len(unusable) == total or len(unusable) > max_bad * total:
        raise TooManyUnusable([(one.name, one.reason) for one in unusable], total=total, max_bad=max_bad)


def refuse_too_many_of_each(manifest: Manifest, unreadable: Sequence[PassedOver], *, max_bad: float) -> None:
    """The same of the pictures to learn from, and of a named test set, whose bad files count among its own.

    Args:
        manifest: with the samples that were tried.
        unreadable: all that are of no use, those of `manifest.unreadable` among them.
        max_bad: the share of either that may be.

    Raises:
        TooManyUnusable: names the first few of one of them, with reasons.
    """
    for part in manifest.parts:
        bad = [one for one in unreadable if manifest.is_test(one.name) == part]
        tried = [one.name for one in manifest.samples] + [one.name for one in manifest.unreadable]
        refuse_too_many(bad, total=sum(manifest.is_test(name) == part for name in tried), max_bad=max_bad)
