"""Naming files in a sentence: all of a few, the first of many."""

from collections.abc import Sequence

from trainer.counting import counted
from trainer.progress import Progress

_MOST = 20


def name_each(progress: Progress, what: str, names: Sequence[str], *, noun: str | None = None) -> None:
    """Warn that there are files of which `what` is true, if there are; nothing is said of none.

    Args:
        progress: told.
        what: how the sentence goes on after the count.
        names: of the files, or of sets of them.
        noun: what one of the names stands for, if that should be said.
    """
    if names:
        shown = "; ".join(names[:_MOST]) + (f"; and {len(names) - _MOST} more" if len(names) > _MOST else "")
        count = counted(len(names), noun) if noun else f"{len(names)}"
        progress.warn(f"{count} {what}: {shown}", count=len(names))
