"""Counts in sentences: 1 picture, 2 pictures, 1,204 pictures."""


def counted(count: int, noun: str) -> str:
    """The count with its noun, which takes an s for any count but one."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
