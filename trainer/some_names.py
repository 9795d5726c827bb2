"""A sentence cannot hold a thousand names: the first few of them."""

from collections.abc import Sequence


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
