"""The tables of `bench.predict`, in Markdown: medians over rounds with the least and the most; ratios within rounds.

python -m bench.predict_tables FIGURES.json...        those of what `bench.predict --json` has written
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bench.contest import Figures, Point
from bench.process_tree import MAIN
from bench.sides import BARE, BARE_PROCESSES, FINIAL, FINIAL_FORM, GET_FORMS, NAMES

LIMIT = "the limit"
CROWD = 2
"""With fewer clients than that there is nothing to be shared."""
_LOOP_SIDES = (FINIAL, "tutorial")
"""Those whose event loop runs on the main thread of the process that was started; it is told of these, and of ours."""

Read = Callable[[Figures], float | None]
Form = Callable[[float], str]
T = TypeVar("T")


def tables(figures: Sequence[Figures], *, cores: int) -> list[str]:
    """A table for each size, kind of loop and figure; rows are sides, columns clients or shares of the limit's rate.

    Args:
        figures: of all sides at all points.
        cores: of the machine.
    """
    figures = sorted(figures, key=_place)
    kinds = unique((each.point.size, each.point.share is not None) for each in figures)
    return [
        table for kind in kinds for table in _of_kind([each for each in figures if kind == _kind(each)], *kind, cores)
    ]


def _place(each: Figures) -> tuple[int, int]:
    return each.round, NAMES.index(each.side) if each.side in NAMES else len(NAMES)


def _kind(each: Figures) -> tuple[str, bool]:
    return each.point.size, each.point.share is not None


def _of_kind(figures: Sequence[Figures], size: str, is_open: bool, cores: int) -> list[str]:  # noqa: FBT001 -- a key
    loop = f"{size}, open loop, share of the limit's rate" if is_open else f"{size}, closed loop, clients"
    told: list[tuple[str, Read, Form]] = [
        ("answers a second", lambda each: each.per_s, short),
        ("median latency, ms", lambda each: each.p50_ms, short),
        ("99th percentile of latency, ms", lambda each: each.p99_ms, short),
        ("processor time of a request, ms", lambda each: each.processor_ms, short),
        ("of it the event loop, ms", _event_loop_ms, hundredths),
        ("cores kept busy", lambda each: each.processor_ms * each.per_s / 1000, hundredths),
        ("of the client, ms", lambda each: each.client_ms or None, hundredths),
        ("memory of all processes, MB", lambda each: each.memory_mb, short),
    ]
    made = [_table(f"{name} ({loop})", figures, read, form) for name, read, form in told]
    made.append(_sums(f"answers behind the percentiles, all rounds ({loop})", figures, lambda each: each.answers))
    if any(each.failures for each in figures):
        made.append(_sums(f"requests that failed ({loop})", figures, lambda each: sum(each.failures.values())))
    compared = [*figures, *limits(figures)]
    for ours in (FINIAL, FINIAL_FORM):
        others = compared if ours == FINIAL else [each for each in compared if each.side in GET_FORMS]
        ratios = {f"{name} ({loop})": _ratios(others, read, ours) for name, read in _compared_by(ours).items()}
        made += [markdown(name, _told(found, hundredths)) for name, found in ratios.items() if found]
        if not is_open and any(ratios.values()):
            made.append(_overall(f"{ours}, all rounds with {CROWD} clients and more ({size})", ratios))
    return made if is_open else [*made, *_spent(compared, size, cores)]


def _compared_by(ours: str) -> dict[str, Read]:
    return {
        f"{ours} against each, answers a second": lambda each: each.per_s,
        f"each against {ours}, median latency": lambda each: _over(each.p50_ms),
        f"each against {ours}, 99th percentile of latency": lambda each: _over(each.p99_ms),
    }


def _overall(title: str, ratios: Mapping[str, Mapping[tuple[str, str], Sequence[float]]]) -> str:
    """The geometric mean of each ratio to each side, of all rounds at all points with more than one client."""
    cells = dict[tuple[str, str], str]()
    for name, found in ratios.items():
        crowded = {(side, at): pairs for (side, at), pairs in found.items() if int(at) >= CROWD}
        for side in unique(side for side, _ in crowded):
            of_side = [one for (other, _), pairs in crowded.items() for one in pairs if other == side]
            cells[side, name.partition(" (")[0]] = f"{statistics.geometric_mean(of_side):.2f} of {len(of_side)}"
    return markdown(f"{title}, geometric mean", cells)


def _spent(figures: Sequence[Figures], size: str, cores: int) -> list[str]:
    """What all cores did while a request was answered, for the sides whose event loop is told apart."""

    def all_ms(each: Figures) -> float | None:
        return 1000 * cores / each.per_s if each.per_s else None

    def lanes_ms(each: Figures) -> float | None:
        return each.processor_ms - (_event_loop_ms(each) or 0.0)

    def idle_ms(each: Figures) -> float | None:
        return (all_ms(each) or 0.0) - each.processor_ms - each.client_ms

    rows: dict[str, Read] = {
        "all": all_ms,
        "threads but the event loop": lanes_ms,
        "the event loop": _event_loop_ms,
        "the client": lambda each: each.client_ms or None,
        "idle, or others": idle_ms,
    }
    of_limit = {name: rows[name] for name in ("all", "threads but the event loop")}
    found = dict[tuple[str, str], str]()
    for side, reads in ((FINIAL, rows), (FINIAL_FORM, rows), (LIMIT, of_limit)):
        for name, read in reads.items():
            cells = grouped([each for each in figures if each.side == side], read)
            found |= {(f"{side}: {name}", at): told(values, hundredths) for (_, at), values in cells.items()}
    if not any(row.startswith((f"{FINIAL}:", f"{FINIAL_FORM}:")) for row, _ in found):
        return []
    return [markdown(f"where the time of a request goes, ms of all cores ({size}, closed loop, clients)", found)]


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


def _table(title: str, figures: Sequence[Figures], read: Read, form: Form) -> str:
    return markdown(title, _told(grouped(figures, read), form))


def _told(found: Mapping[tuple[str, str], Sequence[float]], form: Form) -> dict[tuple[str, str], str]:
    return {key: told(values, form) for key, values in found.items()}


def _sums(title: str, figures: Sequence[Figures], read: Callable[[Figures], int]) -> str:
    return markdown(title, {key: f"{sum(values):.0f}" for key, values in grouped(figures, read).items()})


def told(values: Sequence[float], form: Form) -> str:
    """`1.02 [0.99, 1.05]`: the median, the least and the most; a few rounds have no quartiles worth the name."""
    middle = form(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{form(min(values))}, {form(max(values))}]"


def short(value: float) -> str:
    """No more digits than a few rounds can tell."""
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def hundredths(value: float) -> str:
    """Of ratios and small times."""
    return f"{value:.2f}"


def _ratios(figures: Sequence[Figures], read: Read, ours: str) -> dict[tuple[str, str], list[float]]:
    """(side, column) -> ours over theirs in each round that both have."""
    rounds = by_round(figures, read)
    found = dict[tuple[str, str], list[float]]()
    for (side, column), theirs in rounds.items():
        mine = rounds.get((ours, column), {})
        pairs = [mine[number] / value for number, value in theirs.items() if number in mine and value]
        if side != ours and pairs:
            found[side, column] = pairs
    return found


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
    """A table of cells by (row, column); rows in the order of their first cell, columns by size if they are numbers."""
    rows, columns = unique(row for row, _ in cells), unique(column for _, column in cells)
    if all(column.replace(".", "").isdigit() for column in columns):
        columns.sort(key=float)
    lines = [f"| {title} | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    lines += [f"| {row} | {' | '.join(cells.get((row, column), '-') for column in columns)} |" for row in rows]
    return "\n".join(lines)


def unique(values: Iterable[T]) -> list[T]:
    """Each value once, in the order of its first."""
    return list(dict.fromkeys(values))


def read_figures(path: Path) -> tuple[list[Figures], dict[str, Any]]:
    """What `bench.predict` has written, and on which machine."""
    found = json.loads(path.read_text(encoding="utf-8"))
    figures = [Figures(**{**each, "point": Point(**each["point"])}) for each in found["figures"]]
    return figures, found["machine"]


def main() -> None:
    """Print the tables of each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", type=Path)
    for path in parser.parse_args().figures:
        figures, machine = read_figures(path)
        print("\n\n".join(tables(figures, cores=machine["cores"])) + "\n")


if __name__ == "__main__":
    main()
