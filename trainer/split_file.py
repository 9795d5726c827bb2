"""split.csv of a bundle: which picture, by digest, was in which split, so that a later command can pick the same ones.

Beside them stands what the measured head, which had not seen the picture, took it for; so that a later run can be
compared with this one on the same pictures. The file carries digests and labels only, and a group is named by its
smallest digest: no file name of a customer, nor what the groups are called, leaves the house with this file. (The
report names files, for its readers; no other file of a bundle does.)
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from shared.errors import BundleInvalid
from trainer.manifest import Split

SPLIT_FILE = "split.csv"
_COLUMNS = ("digest", "label", "split", "group", "predicted")
_EARLIER = (_COLUMNS[:3], _COLUMNS[:4])  # as earlier versions wrote it: without groups, without predictions


@dataclass(frozen=True, order=True)
class SplitRow:
    """One picture.

    Attributes:
        digest: SHA-256 of its bytes.
        label: that it was trained with.
        split: that it was in.
        group: smallest digest of its group; "" if an earlier version wrote the file.
        predicted: the label that a head which had not seen the picture gave to it; None where it was not held out, or
            an earlier version wrote the file.
    """

    digest: str
    label: str
    split: Split
    group: str
    predicted: str | None = None


def format_split_file(rows: Iterable[SplitRow]) -> bytes:
    """The file's content, sorted by digest, so that equal splits give equal bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    ordered = sorted(rows, key=lambda row: (row.digest, row.label, row.split, row.group, row.predicted or ""))
    writer.writerows((row.digest, row.label, row.split, row.group, row.predicted or "") for row in ordered)
    return text.getvalue().encode()


def read_split_file(bundle_path: Path) -> dict[str, Split]:
    """Split by picture digest.

    Raises:
        BundleInvalid: the bundle has no split.csv, or it is of another form.
    """
    return {row.digest: row.split for row in _read_rows(bundle_path)}


def read_groups(bundle_path: Path) -> dict[str, str]:
    """Group by picture digest, named by its smallest digest; empty for bundles that do not say.

    Raises:
        BundleInvalid: the bundle has no split.csv, or it is of another form.
    """
    return {row.digest: row.group for row in _read_rows(bundle_path) if row.group}


def read_labels_by_digest(bundle_path: Path) -> dict[str, str]:
    """Label by picture digest, as the bundle was trained on it.

    Raises:
        BundleInvalid: the bundle has no split.csv, or it is of another form.
    """
    return {row.digest: row.label for row in _read_rows(bundle_path)}


def read_held_out_predictions(bundle_path: Path) -> dict[str, str]:
    """The label that the measured head gave to each picture it had not seen, by digest; empty for earlier bundles.

    Raises:
        BundleInvalid: the bundle has no split.csv, or it is of another form.
    """
    return {row.digest: row.predicted for row in _read_rows(bundle_path) if row.predicted is not None}


def _read_rows(bundle_path: Path) -> list[SplitRow]:
    file = bundle_path / SPLIT_FILE
    try:
        header, *cells = csv.reader(io.StringIO(file.read_text(encoding="utf-8"), newline=""))
    except (OSError, ValueError) as error:
        raise BundleInvalid(file, detail=f"cannot be read as {', '.join(_COLUMNS)} ({error})") from error
    if tuple(header) not in (_COLUMNS, *_EARLIER) or {len(row) for row in cells} - {len(header)}:
        raise BundleInvalid(file, detail=f"its columns are {header}, expected {', '.join(_COLUMNS)}")
    if unknown := {row[2] for row in cells} - set(get_args(Split)):
        raise BundleInvalid(
            file, detail=f"its splits are {', '.join(sorted(unknown))}, expected train, validation, test"
        )
    return [_row(*cell) for cell in cells]


def _row(digest: str, label: str, split: str, group: str = "", predicted: str = "") -> SplitRow:
    return SplitRow(digest, label, split, group, predicted or None)  # type: ignore[arg-type]  # checked against Split
