"""The tables of `bench.predict`, in Markdown: medians with quartiles over the rounds, and ratios within them."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from bench.contest import Figures
from bench.spread import ratios, spread

OURS = "finial"


Read = Callable[[Figures], float]
T = TypeVar("T")


def tables(figures: Sequence[Figures]) -> list[str]:
    """A table for each size, kind of loop and figure; rows are sides, columns clients or shares of the limit."""
    kinds = unique((each.point.size, each.point.share is not None) for each in figures)
    return [table for kind in kinds for table in _of_kind([each for each in figures if kind == _kind(each)], *kind)]


def _kind(each: Figures) -> tuple[str, bool]:
    return each.point.size, each.point.share is not None


def _of_kind(figures: Sequence[Figures], size: str, is_open: bool) -> list[str]:  # noqa: FBT001 -- part of a key
    loop = f"{size}, open loop, share of the bare loop's rate" if is_open else f"{size}, closed loop, clients"
    told: list[tuple[str, Read, str]] = [
        ("answers a second", lambda each: each.per_s, ".1f"),
        ("median latency, ms", lambda each: each.p50_ms, ".1f"),
        ("99th percentile of latency, ms", lambda each: each.p99_ms, ".1f"),
        ("processor time of a request, ms", lambda each: each.processor_ms, ".2f"),
        ("of the client, ms", lambda each: each.client_ms, ".2f"),
        ("memory of all processes, MB", lambda each: each.memory_mb, ".0f"),
        ("requests that failed", lambda each: float(sum(each.failures.values())), ".0f"),
    ]
    made = [_table(f"{name} ({loop})", figures, read, form) for name, read, form in told]
    if any(each.side == OURS for each in figures):
        made.append(_ratio_table(f"{OURS} against each, answers a second ({loop})", figures, lambda each: each.per_s))
        made.append(_ratio_table(f"each against {OURS}, 99th percentile ({loop})", figures, lambda e: 1 / e.p99_ms))
    return made


def _table(title: str, figures: Sequence[Figures], read: Read, form: str) -> str:
    cells = {key: format(spread(values), form) for key, values in grouped(figures, read).items()}
    return markdown(title, cells)


def _ratio_table(title: str, figures: Sequence[Figures], read: Read) -> str:
    values = grouped(figures, read)
    cells = {
        (side, column): format(ratios(values[OURS, column], theirs), ".2f")
        for (side, column), theirs in values.items()
        if side != OURS and len(values.get((OURS, column), ())) == len(theirs)
    }
    return markdown(title, cells)


def grouped(figures: Sequence[Figures], read: Read) -> dict[tuple[str, str], list[float]]:
    """(side, column) -> its figures in the order of the rounds."""
    found: dict[tuple[str, str], list[float]] = {}
    for each in sorted(figures, key=lambda each: each.round):
        found.setdefault((each.side, column_of(each)), []).append(read(each))
    return found


def column_of(each: Figures) -> str:
    """The number of clients, or the share of the limit."""
    return f"{each.point.clients}" if each.point.share is None else f"{each.point.share:g}"


def markdown(title: str, cells: dict[tuple[str, str], str]) -> str:
    """A table of cells by (row, column); rows and columns in the order of their first cell, numbers by size."""
    rows, columns = unique(row for row, _ in cells), sorted(unique(column for _, column in cells), key=float)
    lines = [f"| {title} | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    lines += [f"| {row} | {' | '.join(cells.get((row, column), '-') for column in columns)} |" for row in rows]
    return "\n".join(lines)


def unique(values: Iterable[T]) -> list[T]:
    """Each value once, in the order of its first."""
    return list(dict.fromkeys(values))
