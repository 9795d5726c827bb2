"""Naming files in a sentence: all of a few, the first of many."""

from collections.abc import Sequence

from trainer.progress import Progress

_MOST = 20


def name_each(progress: Progress, what: str, names: Sequence[str]) -> None:
    """Warn that there are files of which `what` is true, if there are; nothing is said of none."""
    if names:
        shown = "; ".join(names[:_MOST]) + (f"; and {len(names) - _MOST} more" if len(names) > _MOST else "")
        progress.warn(f"{len(names)} {what}: {shown}", count=len(names))
