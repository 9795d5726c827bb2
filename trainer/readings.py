"""A reading: one way to take labels and splits from what is there. Each function here reads in one way."""

import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import LabelTableInvalid
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


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A picture file with its label and given split."""

    path: Path
    name: str
    label: str
    split: Split | None


@dataclass(frozen=True)
class Reading:
    """The labels that one way of reading finds.

    Attributes:
        files: pictures that have a label.
        passed_over: pictures that have none, and why.
        missing: paths that a table lists without there being a file.
        origin: where the labels come from, as part of a sentence.
        choose: the flag that asks for this reading.
        table: the table that was read, if one was.
    """

    files: tuple[LabelledFile, ...]
    passed_over: tuple[PassedOver, ...]
    missing: tuple[str, ...]
    origin: str
    choose: str
    table: Path | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted({file.label for file in self.files}))

    def agrees_with(self, other: "Reading") -> bool:
        """Whether both give the same labels to the same pictures."""
        return self._label_of() == other._label_of()

    def _label_of(self) -> dict[str, str]:
        return {file.name: file.label for file in self.files}


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
    files: list[LabelledFile] = []
    unlabelled: list[PassedOver] = []
    for picture, place in zip(pictures, find_places([picture.name for picture in pictures]), strict=True):
        label = how.label(place)
        if label:
            files.append(LabelledFile(picture.path, picture.name, label, place.split))
        else:
            unlabelled.append(PassedOver(picture.name, how.without))
    return Reading(tuple(files), tuple(unlabelled), (), how.origin, f"--labels {rule}")


def read_by_table(table: Path, folder: Path, pictures: Iterable[FoundFile] = ()) -> Reading:
    """Labels from a table; its paths are relative to the data folder or to the table's own, or absolute.

    Args:
        table: a TSV or CSV file.
        folder: the data folder.
        pictures: what lies there; those that the table does not list are passed over.

    Raises:
        LabelTableInvalid: the table cannot be read, or contradicts itself.
    """
    listed: dict[str, tuple[TableRow, LabelledFile]] = {}
    missing: list[str] = []
    unlabelled: list[PassedOver] = []
    for row in read_label_table(table):
        path = _find(row.path, folder, table.parent)
        if path is None:
            missing.append(row.path)
            continue
        name = _name_in(folder, path)
        if not row.label:
            unlabelled.append(PassedOver(name, f"line {row.line} of {table.name} gives it no label"))
        elif name not in listed:
            listed[name] = row, LabelledFile(path, name, row.label, row.split)
        else:
            _require_agreement(table, listed[name][0], row)
    files = _with_splits_of_folders([file for _, file in listed.values()])
    named = listed.keys() | {one.name for one in unlabelled}
    unlisted = [PassedOver(one.name, f"not listed in {table.name}") for one in pictures if one.name not in named]
    choose = f"--labels {shlex.quote(str(table))}"
    return Reading(files, (*unlabelled, *unlisted), tuple(missing), f"the table {table.name}", choose, table)


def _find(path: str, *folders: Path) -> Path | None:
    """The file that a row names; a row written on Windows has backslashes."""
    for spelling in dict.fromkeys((path, path.replace("\\", "/"))):
        for folder in folders:
            found = Path(os.path.normpath(folder / spelling))  # a link keeps its own name
            if _is_file(found):
                return found
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
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


def _with_splits_of_folders(files: Sequence[LabelledFile]) -> tuple[LabelledFile, ...]:
    """Where the table gives no split at all, folders named after splits do."""
    if any(file.split for file in files):
        return tuple(files)
    places = find_places([file.name for file in files])
    return tuple(
        LabelledFile(file.path, file.name, file.label, place.split) for file, place in zip(files, places, strict=True)
    )
