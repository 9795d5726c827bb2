"""A TSV or CSV table of path, label and, if there is one, split: bytes -> rows. Knows nothing of the files it names."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.decode import sniff_format
from trainer.errors.manifest import LabelTableInvalid, NotALabelTable
from trainer.layout import clean_label, split_named
from trainer.samples import Split

_PATH_NAMES = {
    "path",
    "file",
    "filename",
    "filepath",
    "image",
    "imagepath",
    "imagefile",
    "imagename",
    "picture",
    "name",
}
_LABEL_NAMES = {"label", "labels", "class", "classname", "category", "tag", "tags", "target", "species"}
_SPLIT_NAMES = {"split", "set", "subset", "partition", "usage"}
_DELIMITERS = ("\t", ",", ";")
_FILE_EXTENSION = re.compile(r"\.\w{1,5}$")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row.

    Attributes:
        line: its number in the file, from 1.
        path: as written there.
        label: the class name; empty if the row has none.
        split: the given split, if any.
        cells: what the row says in each column that the header names.
    """

    line: int
    path: str
    label: str
    split: Split | None
    cells: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class _Columns:
    path: int
    label: int
    split: int | None
    names: tuple[str, ...] = ()


def read_label_table(path: Path) -> tuple[TableRow, ...]:
    """Read a table whose columns are named by a header, or are path, label and, if there is a third, split.

    Tabs, commas or semicolons separate; UTF-8 with or without a byte order mark, or UTF-16 with one, as Excel
    writes it. Blanks around a cell and empty cells at the end of a row are no part of it.

    Raises:
        LabelTableInvalid: the table cannot be read that way; says which line and why. NotALabelTable where nothing
            hints that it was meant to be.
        OSError: the file cannot be read.
    """
    cells = list(_cells(path, _text(path)))
    if not cells:
        raise NotALabelTable(path, "it has no rows")
    columns, has_header = _columns(path, cells)
    rows = cells[has_header:]
    if rows and not has_header and columns.split is not None and _unknown_split(rows[0][1], columns):
        raise NotALabelTable(path, f"unknown split {rows[0][1][columns.split]!r}", line=rows[0][0])
    return tuple(_row(path, line, row, columns) for line, row in rows)


def _text(path: Path) -> str:
    data = path.read_bytes()
    utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotALabelTable(path, _what_it_is(data) or "it is not UTF-8 text; save it again as UTF-8") from error
    if "\0" in text:
        raise NotALabelTable(path, _what_it_is(data) or "it is not text")
    return text


def _what_it_is(data: bytes) -> str:
    """For whoever names one picture and means its folder; "" where that is not it."""
    if sniff_format(data) is None:
        return ""
    return "it is a picture: to train, name the folder above it; to ask about it, `predict`"


def _cells(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of all rows that are not blank."""
    delimiter = _delimiter(text)
    lines = io.StringIO(text, newline="")
    if delimiter == "\t":  # among tabs, a quote is just a character
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if any("\n" in cell for cell in row):  # an unpaired quote would swallow all rows that follow
                raise NotALabelTable(path, "a quoted cell does not end on its line", line=reader.line_num)
            cells = [_unquoted(cell.strip()) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise NotALabelTable(path, f"it is no well-formed table ({error})", line=reader.line_num) from error


def _delimiter(text: str) -> str:
    """The separator that most rows have; a tab before a comma before a semicolon."""
    lines = text.splitlines()
    return max(_DELIMITERS, key=lambda delimiter: sum(delimiter in line.strip() for line in lines))


def _unquoted(cell: str) -> str:
    quoted = len(cell) >= 2 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"').strip() if quoted else cell


def _columns(path: Path, cells: Sequence[tuple[int, list[str]]]) -> tuple[_Columns, bool]:
    """Which column is what, and whether the first row is a header."""
    line, first = cells[0]
    names = [re.sub(r"[\W_]", "", cell.lower()) for cell in first]
    path_column, label_column, split_column = (
        next((index for index, name in enumerate(names) if name in known), None)
        for known in (_PATH_NAMES, _LABEL_NAMES, _SPLIT_NAMES)
    )
    if path_column is not None and label_column is not None:
        return _Columns(path_column, label_column, split_column, tuple(first)), True
    width = max(len(row) for _, row in cells)
    if width < 2 or width > 3:
        raise NotALabelTable(path, f"it has {width} columns and no header that names path and label", line=line)
    return _Columns(0, 1, 2 if width == 3 else None), _is_unknown_header(cells)


def _is_unknown_header(cells: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether the first row alone has no file extension where all others have one."""
    first, *others = (bool(_FILE_EXTENSION.search(row[0])) for _, row in cells)
    return not first and bool(others) and all(others)


def _row(path: Path, line: int, cells: Sequence[str], columns: _Columns) -> TableRow:
    name, label, split = (_cell(cells, column) for column in (columns.path, columns.label, columns.split))
    if not name:
        raise LabelTableInvalid(path, "the row names no file", line=line)
    if _unknown_split(cells, columns):
        raise LabelTableInvalid(path, f"unknown split {split!r}", line=line)
    named = {name: _cell(cells, index) for index, name in enumerate(columns.names)}
    return TableRow(line=line, path=name, label=clean_label(label), split=split_named(split), cells=named)


def _unknown_split(cells: Sequence[str], columns: _Columns) -> bool:
    split = _cell(cells, columns.split)
    return bool(split) and split_named(split) is None


def _cell(cells: Sequence[str], column: int | None) -> str:
    return cells[column] if column is not None and column < len(cells) else ""
