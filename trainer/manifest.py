"""The manifest is read: files are found, labels taken, contents hashed. The only input of a run."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainer.data_source import local_data
from trainer.empty_folders import folders_without_pictures
from trainer.errors.manifest import DataMissing, LabelNotPrintable, LabelsFromDataTable, TooManyMissing
from trainer.groups import name_groups
from trainer.hashing import Unreadable, hash_files
from trainer.label_choice import guess, read_as_asked
from trainer.picture_files import FoundFile, FoundFiles, find_files
from trainer.prediction_table import is_prediction_table
from trainer.progress import Progress, Quiet
from trainer.readings import Reading, read_by_table, require_inside, require_one_group
from trainer.samples import Manifest, PassedOver, Sample, Split
from trainer.stat_cache import StatCache

__all__ = ["Manifest", "PassedOver", "Sample", "Split", "read_manifest"]

_AUTO = "auto"
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of a character, separators of lines


def read_manifest(
    data: Path | str,
    *,
    labels: str = _AUTO,
    group_by: str | None = None,
    cache_dir: Path,
    max_missing: float = 0.1,
    rehash: bool = False,
    as_test: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Find the pictures under `data`, their labels, given splits and content hashes.

    Args:
        data: a folder of pictures, a TSV or CSV table that lists them, an archive of either, or the address of any.
        labels: "folder" or "top-folder" (the innermost or the outermost folder a picture lies in), "prefix" or
            "prefix-words" (the letters or words its name starts with), the path of a TSV or CSV table, or "auto"
            to choose what is plain.
        group_by: what joins pictures into groups, as `name_groups` takes it; None for nothing.
        cache_dir: where the hashes of known files are remembered.
        max_missing: the fraction of a table's rows that may name a file that is not there.
        rehash: read every file again, whatever is remembered.
        as_test: it is a test set, which need not be split, and so may be a single group.
        progress: told how the hashing goes; silent by default.

    Raises:
        UsageError: `data` is not there, cannot be reached, or where labels come from must be chosen.
        BadData: there are no pictures or no labels, or the table cannot be used.
        GroupsWithoutTable, GroupColumnMissing, GroupingSaysNothing: of `group_by`.
    """
    progress = progress or Quiet()
    local = local_data(os.fspath(data), cache_dir=cache_dir, progress=progress, rehash=rehash)
    reading, labels_from, passed_over, empty_folders = _read_labels(local.path, labels)
    if local.home is not None:
        require_inside(reading, local.home)
    _require_printable(reading)
    _require_few_missing(reading, max_missing)
    cache = StatCache(cache_dir, local.path, warn=progress.warn)
    groups = _groups(reading, group_by, may_be_one=as_test)
    hashes = hash_files(
        [file.location for file, *_ in _labelled(reading, groups)], cache, rehash=rehash, progress=progress
    )
    samples: list[Sample] = []
    unreadable: list[PassedOver] = []
    for (file, label, split, group), hashed in zip(_labelled(reading, groups), hashes, strict=True):
        if isinstance(hashed, Unreadable):
            unreadable.append(PassedOver(file.name, hashed.reason))
        else:
            samples.append(Sample(file.location, file.name, label, hashed, split, group))
    return Manifest(
        samples=tuple(sorted(samples, key=lambda sample: sample.name)),
        labels=reading.labels,
        passed_over=tuple(sorted((*local.left_out, *passed_over, *reading.passed_over), key=lambda one: one.name)),
        missing=reading.missing,
        labels_from=labels_from,
        unreadable=tuple(sorted(unreadable, key=lambda one: one.name)),
        empty_folders=empty_folders,
    )


def _read_labels(data: Path, labels: str) -> tuple[Reading, str, tuple[PassedOver, ...], tuple[str, ...]]:
    """The reading, where it comes from in words, the files that are no pictures, and label folders without any."""
    if data.is_dir():
        found = find_files(data)
        reading, why = guess(data, found) if labels == _AUTO else (read_as_asked(labels, data, found), None)
        labels_from = f"{reading.origin} (guessed: {why})" if why else f"{reading.origin} ({reading.choose})"
        passed_over = (*found.passed_over, *_other_tables(found, reading))
        return reading, labels_from, passed_over, folders_without_pictures(found, reading)
    if not data.is_file():
        raise DataMissing(data)
    if labels != _AUTO:
        raise LabelsFromDataTable(data, labels)
    reading = read_by_table(data, data.parent)
    return reading, reading.origin, (), ()


def _labelled(
    reading: Reading, groups: Sequence[str | None]
) -> Iterator[tuple[FoundFile, str, Split | None, str | None]]:
    """Files that have a label, each with what is known of it. Twice walked rather than held: there may be many."""
    for file, label, split, group in zip(reading.pictures, reading.label_of, reading.split_of, groups, strict=True):
        if label is not None:
            yield file, label, split, group


def _groups(reading: Reading, group_by: str | None, *, may_be_one: bool) -> tuple[str | None, ...]:
    names = [picture.name for picture in reading.pictures]
    if group_by is None:
        return (None,) * len(names)
    require_one_group(reading, group_by)
    return name_groups(group_by, names, reading.cells_of, may_be_one=may_be_one)


def _other_tables(found: FoundFiles, reading: Reading) -> list[PassedOver]:
    return [PassedOver(table.name, _why_unused(table)) for table in _unused(found.tables, reading)]


def _why_unused(table: FoundFile) -> str:
    if is_prediction_table(table.path):
        return "predictions of a bundle, not labels; --labels with its name would learn them"
    return "a table that labels were not taken from"


def _unused(tables: Sequence[FoundFile], reading: Reading) -> list[FoundFile]:
    return [table for table in tables if reading.table is None or not table.path.samefile(reading.table)]


def _require_printable(reading: Reading) -> None:
    """Learn before the work, not after it, that a bundle cannot hold a label."""
    unprintable = {label for label in reading.labels if any(unicodedata.category(one) in _CONTROLS for one in label)}
    for picture, label in zip(reading.pictures, reading.label_of, strict=True):
        if label in unprintable:
            raise LabelNotPrintable(label, picture=picture.name, origin=reading.origin)


def _require_few_missing(reading: Reading, max_missing: float) -> None:
    row_count = len(reading.pictures) + len(reading.missing)
    if reading.table and len(reading.missing) > max_missing * row_count:
        raise TooManyMissing(reading.table, reading.missing, rows=row_count, max_missing=max_missing)
