"""The pictures, and where their labels are read from."""

from collections.abc import Sequence
from pathlib import Path

from trainer.errors import BadData, UsageError
from trainer.some_names import some

_EXPECTED_TREE = """Expected one folder per label, with pictures inside:
  {folder}/
    cat/   one.jpg  two.jpg
    dog/   three.jpg  four.png
or train/, validation/ and test/ folders with such folders inside; or file names that start with the label
(cat.1.jpg, dog.1.jpg; `--labels prefix`); or a table of path, label and, if wanted, split (`--labels FILE.tsv`).
`python -m trainer sample DIR` writes pictures for a first try."""


class DataMissing(UsageError):
    """DATA, or the table named by --labels, does not exist."""

    def __init__(self, path: Path, *, instead: Sequence[str] = ()) -> None:
        choices = f", or choose one of {', '.join(instead)}" if instead else ""
        super().__init__(
            f"{path}: no such file or folder. Name a folder of pictures, or a TSV or CSV table of them{choices}."
        )


class LabelsFromDataTable(UsageError):
    """DATA is a table, and --labels asks for something else."""

    def __init__(self, data: Path, labels: str) -> None:
        super().__init__(
            f"--labels {labels}: the labels of {data} are those it lists. Leave --labels out, or name a folder as DATA."
        )


class LabelsAmbiguous(UsageError):
    """The labels can be read from the data in more than one way."""

    def __init__(self, folder: Path, readings: Sequence[str]) -> None:
        super().__init__(f"{folder}: the labels can be read in more than one way; say which: {'; or '.join(readings)}.")


class LabelsNotFound(BadData):
    """The pictures carry no label, or none in the way that was asked for."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(f"{folder}: {detail}. {_EXPECTED_TREE.format(folder=folder.name or folder)}")


class NoPictures(BadData):
    """There is nothing to learn from in the folder."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(f"{folder}: {detail}. {_EXPECTED_TREE.format(folder=folder.name or folder)}")


class LabelTableInvalid(BadData):
    """A TSV or CSV table that cannot be read as path, label and, if there is one, split."""

    def __init__(self, path: Path, detail: str, *, line: int | None = None) -> None:
        where = str(path) if line is None else f"{path}, line {line}"
        super().__init__(
            f"{where}: {detail}. Expected one row per picture: path, label and, if wanted, split (train, validation or "
            "test), separated by tabs or commas, with or without a header of these names."
        )


class NotALabelTable(LabelTableInvalid):
    """The table is about something else; one that is about labels, but faulty, is never passed over for a guess."""


class LabelNotPrintable(BadData):
    """A label holds a character that no bundle, table or terminal can show."""

    def __init__(self, label: str, *, picture: str, origin: str) -> None:
        super().__init__(
            f"{picture!r}: its label {label!r}, from {origin}, holds a control character. Expected text on one line: "
            "rename the folder or file, or mend the row of the table."
        )


class TooManyMissing(BadData):
    """More rows of a table name files that are not there than the limit allows."""

    def __init__(self, path: Path, missing: Sequence[str], *, rows: int, max_missing: float) -> None:
        super().__init__(
            f"{path}: {len(missing)} of {rows} rows name a file that is not there ({some(missing)}); at most "
            f"{max_missing:.0%} may be missing. Paths are relative to the table's folder or the data folder: "
            "copy the pictures there, or raise --max-bad."
        )
