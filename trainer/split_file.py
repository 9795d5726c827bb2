"""split.csv of a bundle: which picture, by digest, was in which split, so that a later command can pick the same ones.

It carries digests and labels only, and a group is named by its smallest digest: no file name of a customer, nor what
the groups are called, leaves the house with a bundle.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from shared.errors import BundleInvalid
from trainer.manifest import Split

SPLIT_FILE = "split.csv"
_COLUMNS = ("digest", "label", "split", "group")
_WITHOUT_GROUPS = _COLUMNS[:3]  # as earlier versions wrote it


def format_split_file(rows: Iterable[tuple[str, str, Split, str]]) -> bytes:
    """The file's content for (digest, label, split, group) rows, sorted, so that equal splits give equal bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(sorted(rows))
    return text.getvalue().encode()


def read_split_file(bundle_path: Path) -> dict[str, Split]:
    """Split by picture digest.

    Raises:
        BundleInvalid: the bundle has no split.csv, or it is of another form.
    """
    return {digest: split for digest, _, split in _read_rows(bundle_path)}


def read_labels_by_digest(bundle_path: Path) -> dict[str, str]:
    """Label by picture digest, as the bundle was trained on it.

    Raises:
        BundleInvalid: the bundle has no split.csv, or it is of another form.
    """
    return {digest: label for digest, label, _ in _read_rows(bundle_path)}


def _read_rows(bundle_path: Path) -> list[tuple[str, str, Split]]:
    file = bundle_path / SPLIT_FILE
    try:
        header, *cells = csv.reader(io.StringIO(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BundleInvalid(file, detail=f"cannot be read as {', '.join(_COLUMNS)} ({error})") from error
    if tuple(header) not in (_COLUMNS, _WITHOUT_GROUPS) or {len(row) for row in cells} - {len(header)}:
        raise BundleInvalid(file, detail=f"its columns are {header}, expected {', '.join(_COLUMNS)}")
    if unknown := {row[2] for row in cells} - set(get_args(Split)):
        raise BundleInvalid(
            file, detail=f"its splits are {', '.join(sorted(unknown))}, expected train, validation, test"
        )
    return [(row[0], row[1], row[2]) for row in cells]  # type: ignore[misc]  # checked against Split above
