"""Whether the fits of a head are made in the space of its rows; without torch, which a run that is planned lacks."""

_WORTH_IT = 100_000_000
"""Rows x columns x labels. What is below is fitted within seconds on columns, as it was before there was this."""


def pays(shape: tuple[int, ...], class_count: int) -> bool:
    """Whether fits on features of this shape, (N, D), are made there."""
    rows, columns = shape
    return rows < columns and rows * columns * class_count >= _WORTH_IT
