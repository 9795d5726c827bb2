"""The tables of `bench.predict`, in Markdown: medians over rounds with the least and the most; ratios within rounds."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from bench.contest import Figures
from bench.process_tree import MAIN
from bench.sides import BARE, BARE_PROCESSES, FINIAL, NAMES

LIMIT = "the limit"
_LOOP_SIDES = (FINIAL, "tutorial")
"""Those whose event loop runs on the main thread of the process that was started; it is told of these, and of ours."""

Read = Callable[[Figures], float | None]
T = TypeVar("T")


def tables(figures: Sequence[Figures]) -> list[str]:
    """A table for each size, kind of loop and figure; rows are sides, columns clients or shares of the limit's rate."""
    figures = sorted(figures, key=_place)
    kinds = unique((each.point.size, each.point.share is not None) for each in figures)
    return [table for kind in kinds for table in _of_kind([each for each in figures if kind == _kind(each)], *kind)]


def _place(each: Figures) -> tuple[int, int]:
    return each.round, NAMES.index(each.side) if each.side in NAMES else len(NAMES)


def _kind(each: Figures) -> tuple[str, bool]:
    return each.point.size, each.point.share is not None


def _of_kind(figures: Sequence[Figures], size: str, is_open: bool) -> list[str]:  # noqa: FBT001 -- part of a key
    loop = f"{size}, open loop, share of the limit's rate" if is_open else f"{size}, closed loop, clients"
    told: list[tuple[str, Read, str]] = [
        ("answers a second", lambda each: each.per_s, ".1f"),
        ("median latency, ms", lambda each: each.p50_ms, ".1f"),
        ("99th percentile of latency, ms", lambda each: each.p99_ms, ".1f"),
        ("processor time of a request, ms", lambda each: each.processor_ms, ".2f"),
        ("of it the event loop, ms", _event_loop_ms, ".2f"),
        ("cores kept busy", lambda each: each.processor_ms * each.per_s / 1000, ".2f"),
        ("of the client, ms", lambda each: each.client_ms or None, ".2f"),
        ("memory of all processes, MB", lambda each: each.memory_mb, ".0f"),
    ]
    made = [_table(f"{name} ({loop})", figures, read, form) for name, read, form in told]
    made.append(_sums(f"answers behind the percentiles, all rounds ({loop})", figures, lambda each: each.answers))
    if any(each.failures for each in figures):
        made.append(_sums(f"requests that failed ({loop})", figures, lambda each: sum(each.failures.values())))
    compared = [*figures, *limits(figures)]
    if any(each.side == FINIAL for each in figures):
        ratios: list[tuple[str, Read]] = [
            (f"{FINIAL} against each, answers a second", lambda each: each.per_s),
            (f"each against {FINIAL}, median latency", lambda each: _over(each.p50_ms)),
            (f"each against {FINIAL}, 99th percentile of latency", lambda each: _over(each.p99_ms)),
        ]
        made += [_ratio_table(f"{name} ({loop})", compared, read) for name, read in ratios]
    return made


def limits(figures: Sequence[Figures]) -> list[Figures]:
    """At each point the figures of that bare loop which is faster there, by the median of its rounds, as a side."""
    rates: dict[object, dict[str, list[float]]] = {}
    for each in figures:
        if each.side in (BARE, BARE_PROCESSES):
            rates.setdefault(each.point, {}).setdefault(each.side, []).append(each.per_s)
    best = {point: max(sides, key=lambda side: statistics.median(sides[side])) for point, sides in rates.items()}
    return [replace(each, side=LIMIT) for each in figures if best.get(each.point) == each.side]


def _event_loop_ms(each: Figures) -> float | None:
    return each.threads_ms.get(MAIN) if each.side.startswith(_LOOP_SIDES) else None


def _over(value: float | None) -> float | None:
    return 1 / value if value else None


def _table(title: str, figures: Sequence[Figures], read: Read, form: str) -> str:
    return markdown(title, {key: told(values, form) for key, values in grouped(figures, read).items()})


def _sums(title: str, figures: Sequence[Figures], read: Callable[[Figures], int]) -> str:
    return markdown(title, {key: f"{sum(values):.0f}" for key, values in grouped(figures, read).items()})


def told(values: Sequence[float], form: str) -> str:
    """`1.02 [0.99, 1.05]`: the median, the least and the most; a few rounds have no quartiles worth the name."""
    middle = f"{statistics.median(values):{form}}"
    return middle if len(values) == 1 else f"{middle} [{min(values):{form}}, {max(values):{form}}]"


def _ratio_table(title: str, figures: Sequence[Figures], read: Read) -> str:
    rounds = by_round(figures, read)
    cells = dict[tuple[str, str], str]()
    for (side, column), theirs in rounds.items():
        ours = rounds.get((FINIAL, column), {})
        pairs = [ours[number] / value for number, value in theirs.items() if number in ours and value]
        if side != FINIAL and pairs:
            cells[side, column] = told(pairs, ".2f")
    return markdown(title, cells)


def grouped(figures: Sequence[Figures], read: Read) -> dict[tuple[str, str], list[float]]:
    """(side, column) -> its figures in the order of the rounds."""
    return {key: list(found.values()) for key, found in by_round(figures, read).items()}


def by_round(figures: Sequence[Figures], read: Read) -> dict[tuple[str, str], dict[int, float]]:
    """(side, column) -> round -> its figure; without those that there are not."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for each in sorted(figures, key=lambda each: each.round):
        if (value := read(each)) is not None:
            found.setdefault((each.side, column_of(each)), {})[each.round] = value
    return found


def column_of(each: Figures) -> str:
    """The number of clients, or the share of the limit's rate."""
    return f"{each.point.clients}" if each.point.share is None else f"{each.point.share:g}"


def markdown(title: str, cells: dict[tuple[str, str], str]) -> str:
    """A table of cells by (row, column); rows in the order of their first cell, columns by size."""
    rows, columns = unique(row for row, _ in cells), sorted(unique(column for _, column in cells), key=float)
    lines = [f"| {title} | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    lines += [f"| {row} | {' | '.join(cells.get((row, column), '-') for column in columns)} |" for row in rows]
    return "\n".join(lines)


def unique(values: Iterable[T]) -> list[T]:
    """Each value once, in the order of its first."""
    return list(dict.fromkeys(values))
