"""Where labels come from: as the user says, or the one reading that is plain. Two plain ones are an error."""

from collections.abc import Sequence
from pathlib import Path

from trainer.errors.manifest import DataMissing, LabelsAmbiguous, LabelsNotFound, NoPictures, NotALabelTable
from trainer.layout import ends_in_a_number, find_places, has_wordnet_id
from trainer.picture_files import FoundFiles, is_named_like_a_picture
from trainer.prediction_table import is_prediction_table
from trainer.readings import RULES, Reading, read_by_rule, read_by_table

_SHOWN_LABELS = 4
# What cameras and programs call every picture.
_SAYS_NOTHING = (
    *("dsc", "dscf", "dscn", "dji", "frame", "gopr", "image", "img", "mvimg", "p", "photo"),
    *("pic", "picture", "pxl", "sam", "scan", "screenshot", "vid", "wp"),
)


def read_as_asked(labels: str, folder: Path, found: FoundFiles) -> Reading:
    """The labels as `--labels` says: one of RULES, or a table.

    Raises:
        DataMissing: there is no such table.
        LabelTableInvalid: the table cannot be read.
        NoPictures, LabelsNotFound: no picture has a label that way.
    """
    if labels in RULES:
        reading = read_by_rule(labels, found.pictures)
    else:
        table = next((path for path in (Path(labels), folder / labels) if path.is_file()), None)
        if table is None:
            raise DataMissing(Path(labels), instead=("auto", *RULES))
        reading = read_by_table(table, folder, found.pictures)
    if not reading.labelled_count and not reading.missing:
        raise _nothing(folder, found, f"no picture has a label from {reading.origin}")
    return reading


def guess(folder: Path, found: FoundFiles) -> tuple[Reading, str]:
    """The reading that is plain, and why it is.

    A table of labels is the word of a person and goes before file names, and so do class folders. Two tables, a
    table and folders that disagree, or folders within class folders can be meant either way.

    Raises:
        LabelsAmbiguous: more than one reading is plain.
        LabelTableInvalid: a table of labels is there, but faulty.
        NoPictures, LabelsNotFound: none is.
    """
    tables = _tables_of_labels(folder, found)
    by_folder = read_by_rule("folder", found.pictures)
    has_folders = len(by_folder.labels) > 1 and 2 * by_folder.labelled_count >= len(found.pictures)
    if len(tables) > 1:
        raise _ambiguous(folder, [*tables, by_folder] if has_folders else tables)
    if tables and has_folders and not tables[0].agrees_with(by_folder):
        raise _ambiguous(folder, [tables[0], by_folder])
    if tables:
        return tables[0], "it is the only table of labels in the folder"
    if has_folders:
        return _plain_folders(folder, found, by_folder), "the pictures lie in class folders"
    return _guess_prefix(folder, found, by_folder)


def _tables_of_labels(folder: Path, found: FoundFiles) -> list[Reading]:
    """Tables in the folder that give a label to a picture there, or list nothing but pictures that are not.

    Predictions are not among them: what a head once guessed must not become what the next one learns unasked.
    """
    readings = []
    for table in found.tables:
        if is_prediction_table(table.path):
            continue
        try:
            reading = read_by_table(table.path, folder, found.pictures)
        except (NotALabelTable, OSError):
            continue
        if reading.labelled_count or (reading.missing and all(map(is_named_like_a_picture, reading.missing))):
            readings.append(reading)
    return readings


def _plain_folders(folder: Path, found: FoundFiles, by_folder: Reading) -> Reading:
    """`by_folder`, unless the outermost folders or the file names are as good."""
    by_top = read_by_rule("top-folder", found.pictures)
    if len(by_top.labels) > 1 and not by_top.agrees_with(by_folder):
        raise _ambiguous(folder, [by_folder, by_top])
    by_prefix = read_by_rule("prefix", found.pictures)
    numbered = all(ends_in_a_number(place) for place in find_places([file.name for file in found.pictures]))
    if numbered and _is_plain_prefix(by_prefix, found) and _cross(by_folder, by_prefix):
        raise _ambiguous(folder, [by_folder, by_prefix])
    return by_folder


def _guess_prefix(folder: Path, found: FoundFiles, by_folder: Reading) -> tuple[Reading, str]:
    by_letters, by_words = (read_by_rule(rule, found.pictures) for rule in ("prefix", "prefix-words"))
    why = "every file name starts with a label"
    if _is_plain_prefix(by_letters, found):
        if not by_words.agrees_with(by_letters):
            raise _ambiguous(folder, [by_letters, by_words])
        return by_letters, why
    if _is_plain_prefix(by_words, found):
        return by_words, why
    if by_folder.labelled_count:
        return by_folder, "the pictures lie in a folder, and nothing else says more"
    raise _nothing(folder, found, "nothing says which labels the pictures have")


def _is_plain_prefix(reading: Reading, found: FoundFiles) -> bool:
    """Whether the names of all pictures start with labels that tell them apart, and not all from each other."""
    few_labels = 2 * len(reading.labels) <= len(found.pictures)
    as_in_imagenet = all(has_wordnet_id(place) for place in find_places([file.name for file in found.pictures]))
    return (
        len(reading.labels) > 1
        and not reading.passed_over
        and (few_labels or as_in_imagenet)
        and not any(label.lower() in _SAYS_NOTHING for label in reading.labels)
    )


def _cross(one: Reading, other: Reading) -> bool:
    """Whether every label of each reading goes with several of the other's: they say different things."""
    pairs = set(zip(one.label_of, other.label_of, strict=True))
    return all(
        sum(pair[side] == label for pair in pairs) > 1
        for side, reading in enumerate((one, other))
        for label in reading.labels
    )


def _ambiguous(folder: Path, readings: Sequence[Reading]) -> LabelsAmbiguous:
    """The error; readings that label nothing come last, and are none to choose."""
    return LabelsAmbiguous(folder, [_as_choice(one) for one in sorted(readings, key=lambda one: not one.labels)])


def _as_choice(reading: Reading) -> str:
    if reading.labels:
        return f"{reading.choose} for {reading.origin} ({_some_labels(reading)})"
    return f"mend or take away {reading.origin}, which lists no picture that is here"


def _some_labels(reading: Reading) -> str:
    shown = ", ".join(reading.labels[:_SHOWN_LABELS])
    return f"{shown}, ..." if len(reading.labels) > _SHOWN_LABELS else shown


def _nothing(folder: Path, found: FoundFiles, detail: str) -> NoPictures | LabelsNotFound:
    if found.pictures:
        return LabelsNotFound(folder, detail)
    others = [f"{one.name}: {one.reason}" for one in found.passed_over]
    return NoPictures(folder, f"no pictures here{f', only other files ({others[0]})' if others else ''}")
