"""A reading: one way to take labels and splits from what is there. Each function here reads in one way."""

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.errors.manifest import LabelTableInvalid
from trainer.errors.sources import UnsafeRow
from trainer.groups import column_of
from trainer.label_table import TableRow, read_label_table
from trainer.layout import (
    Place,
    find_places,
    label_from_folder,
    label_from_letters,
    label_from_top_folder,
    label_from_words,
)
from trainer.picture_files import FoundFile, readable_name
from trainer.samples import PassedOver, Split


@dataclass(frozen=True)
class Reading:
    """The labels that one way of reading finds.

    Attributes:
        pictures: the files it speaks of.
        label_of: the label of each, None where it finds none.
        split_of: the given split of each, if any.
        passed_over: pictures without a label, and why.
        missing: paths that a table lists without there being a file.
        origin: where the labels come from, as part of a sentence.
        choose: the flag that asks for this reading.
        table: the table that was read, if one was.
        cells_of: what the table says of each picture, by the names of its header; empty without a table.
        repeated: rows of the table that name a picture again, each with the first that names it.
        rule: the one of RULES that it follows; None for a table.
    """

    pictures: Sequence[FoundFile]
    label_of: tuple[str | None, ...]
    split_of: tuple[Split | None, ...]
    passed_over: tuple[PassedOver, ...]
    missing: tuple[str, ...]
    origin: str
    choose: str
    table: Path | None = None
    cells_of: tuple[Mapping[str, str], ...] = ()
    repeated: tuple[tuple[TableRow, TableRow], ...] = ()
    rule: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted({label for label in self.label_of if label is not None}))

    @property
    def labelled_count(self) -> int:
        """How many pictures have a label."""
        return len(self.label_of) - self.label_of.count(None)

    def agrees_with(self, other: "Reading") -> bool:
        """Whether both give the same labels to the same pictures."""
        return self._by_name() == other._by_name()

    def _by_name(self) -> dict[str, str]:
        pairs = zip(self.pictures, self.label_of, strict=True)
        return {picture.name: label for picture, label in pairs if label is not None}


@dataclass(frozen=True)
class _Rule:
    origin: str
    label: Callable[[Place], str | None]
    without: str


_RULES = {
    "folder": _Rule("folder names", label_from_folder, "lies in no class folder"),
    "top-folder": _Rule("names of the outermost folders", label_from_top_folder, "lies in no class folder"),
    "prefix": _Rule("the first letters of file names", label_from_letters, "its name does not start with letters"),
    "prefix-words": _Rule("the first words of file names", label_from_words, "its name does not start with letters"),
}
RULES = tuple(_RULES)
"""What `--labels` accepts besides auto and a table."""


def read_by_rule(rule: str, pictures: Sequence[FoundFile]) -> Reading:
    """Labels from the pictures' folders or names, by one of RULES."""
    how = _RULES[rule]
    places = find_places([picture.name for picture in pictures])
    labels = tuple(how.label(place) or None for place in places)
    return Reading(
        pictures=pictures,
        label_of=labels,
        split_of=tuple(place.split for place in places),
        passed_over=tuple(
            PassedOver(place.name, how.without) for place, label in zip(places, labels, strict=True) if label is None
        ),
        missing=(),
        origin=how.origin,
        choose=f"--labels {rule}",
        rule=rule,
    )


def label_by_rule(rule: str, names: Sequence[str]) -> tuple[str | None, ...]:
    """The label that one of RULES gives to each of these names, whether or not there are such files."""
    return tuple(_RULES[rule].label(place) or None for place in find_places(names))


def read_by_table(table: Path, folder: Path, pictures: Iterable[FoundFile] = ()) -> Reading:
    """Labels from a table; its paths are relative to the data folder or to the table's own, or absolute.

    Args:
        table: a TSV or CSV file.
        folder: the data folder.
        pictures: what lies there; those that the table does not list are passed over.

    Raises:
        LabelTableInvalid: the table cannot be read, or contradicts itself.
    """
    listed: dict[str, tuple[FoundFile, TableRow]] = {}
    missing: list[str] = []
    repeated: list[tuple[TableRow, TableRow]] = []
    for row in read_label_table(table):
        path = _find(row.path, folder, table.parent)
        if path is None:
            missing.append(row.path)
            continue
        found = FoundFile(str(path), _name_in(folder, path))
        _, first = listed.setdefault(found.name, (found, row))
        if first is not row:
            _require_agreement(table, first, row)
            repeated.append((first, row))
    unlabelled = [
        PassedOver(found.name, f"line {row.line} of {table.name} gives it no label")
        for found, row in listed.values()
        if not row.label
    ]
    unlisted = [PassedOver(one.name, f"not listed in {table.name}") for one in pictures if one.name not in listed]
    splits = tuple(row.split for _, row in listed.values())
    return Reading(
        pictures=tuple(found for found, _ in listed.values()),
        label_of=tuple(row.label or None for _, row in listed.values()),
        split_of=splits if any(splits) else tuple(place.split for place in find_places(tuple(listed))),
        passed_over=(*unlabelled, *unlisted),
        missing=tuple(missing),
        origin=f"the table {table.name}",
        choose=f"--labels {shlex.quote(str(table))}",
        table=table,
        cells_of=tuple(row.cells for _, row in listed.values()),
        repeated=tuple(repeated),
    )


def require_inside(reading: Reading, home: Path) -> None:
    """A table that came with the data lists nothing else; one of the user's own may list what it will.

    Args:
        reading: of data that was unpacked or fetched.
        home: the folder that all of it lies in.

    Raises:
        UnsafeRow: a row leads elsewhere, by its name or by a link.
    """
    inside = home.resolve()
    if reading.table is not None and reading.table.resolve().is_relative_to(inside):
        for picture in reading.pictures:
            if not picture.path.resolve().is_relative_to(inside):
                raise UnsafeRow(reading.table, picture.path)


def require_one_group(reading: Reading, group_by: str) -> None:
    """Rows of one picture say the same in the column that groups are taken from.

    Raises:
        LabelTableInvalid: they contradict each other.
    """
    column = column_of(group_by)
    if column is None or reading.table is None:
        return
    for first, second in reading.repeated:
        one, other = (_cell(row, column) for row in (first, second))
        if one != other:
            detail = f"{second.path} is of group {other!r} here, but of {one!r} on line {first.line}"
            raise LabelTableInvalid(reading.table, detail, line=second.line)


def _cell(row: TableRow, column: str) -> str:
    return next((cell for name, cell in row.cells.items() if name.casefold() == column.casefold()), "")


def _find(path: str, *folders: Path) -> Path | None:
    """The file that a row names; a row written on Windows has backslashes."""
    for spelling in dict.fromkeys((path, path.replace("\\", "/"))):
        for folder in folders:
            found = Path(os.path.normpath(folder / spelling))  # a link keeps its own name
            if _is_file(found):
                return found
    return None


def _is_file(path: Path) -> bool:
    """Whether there is a file, or a link that should lead to one: what cannot be opened is unreadable, not missing."""
    try:
        return path.is_file() or (path.is_symlink() and not path.exists())
    except (OSError, ValueError):  # too long, or no path at all
        return False


def _name_in(folder: Path, path: Path) -> str:
    """The name relative to the data folder; it starts with ../ or / where the file lies elsewhere."""
    if path.is_absolute() and not folder.is_absolute():
        folder = folder.absolute()
    return readable_name(Path(os.path.relpath(path, folder)).as_posix())


def _require_agreement(table: Path, first: TableRow, second: TableRow) -> None:
    if (first.label, first.split) != (second.label, second.split):
        raise LabelTableInvalid(
            table, f"{second.path} is {second.label!r} here, but {first.label!r} on line {first.line}", line=second.line
        )
