"""split.csv of a bundle: which picture, by digest, was in which split, so that a later command can pick the same ones.

It carries digests and labels only: no file name of a customer leaves the house with a bundle.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from shared.errors import BundleInvalid
from trainer.manifest import Split

SPLIT_FILE = "split.csv"
_COLUMNS = ("digest", "label", "split")


def format_split_file(rows: Iterable[tuple[str, str, Split]]) -> bytes:
    """The file's content for (digest, label, split) rows, sorted, so that equal splits give equal bytes."""
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
        rows = [(digest, label, split) for digest, label, split in cells]
    except (OSError, ValueError) as error:
        raise BundleInvalid(file, detail=f"cannot be read as {', '.join(_COLUMNS)} ({error})") from error
    if tuple(header) != _COLUMNS or not {split for _, _, split in rows} <= set(get_args(Split)):
        raise BundleInvalid(file, detail=f"its columns are {header}, expected {', '.join(_COLUMNS)}")
    return rows  # type: ignore[return-value]  # checked against Split above
