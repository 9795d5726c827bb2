"""What the place and the name of a picture say about its label and split. Pure functions of names."""

import re
import sys
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from trainer.samples import Split

_SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_LETTERS = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+(?:[ _-]+[^\W\d_]+)*")
_NUMBERED = re.compile(r"[^\W\d_]+[ ._-]*\(?\d+\)?")
_WORDNET_ID = re.compile(r"(n\d{8})_(.*)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture lies.

    Attributes:
        name: relative to the data folder.
        split: the split that its folder is named after, if any.
        folders: the folders it lies in, outermost first, without that one and those around it.
    """

    name: str
    split: Split | None
    folders: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """The name without folders."""
        return self.name.rpartition("/")[2]


def find_places(names: Sequence[str]) -> tuple[Place, ...]:
    """Read splits off the folders, where every outermost folder is named after one.

    A folder around everything does not count: `photos/train/cat/1.jpg` is as good as `train/cat/1.jpg`.
    """
    inner = _without_folders_around({name.rpartition("/")[0] for name in names})
    outermost = {folders[0] for folders in inner.values() if folders}
    of_splits = bool(outermost) and all(split_named(folder) for folder in outermost)

    def place(name: str) -> Place:
        folders = inner[name.rpartition("/")[0]]
        if of_splits and folders:
            return Place(name, split_named(folders[0]), folders[1:])
        return Place(name, None, folders)

    return tuple(map(place, names))


def split_named(name: str) -> Split | None:
    """The split that goes by this name: train, val, validation, test and the like, in any case."""
    return _SPLIT_NAMES.get(name.strip().lower())


def label_from_folder(place: Place) -> str | None:
    """The folder that the picture lies in."""
    return clean_label(place.folders[-1]) if place.folders else None


def label_from_top_folder(place: Place) -> str | None:
    """The outermost folder."""
    return clean_label(place.folders[0]) if place.folders else None


def label_from_letters(place: Place) -> str | None:
    """The letters that the file name starts with: `cat.12.jpg` -> `cat`."""
    return _label_from_file_name(place, _LETTERS)


def label_from_words(place: Place) -> str | None:
    """The words that the file name starts with: `great_dane_12.jpg` -> `great_dane`."""
    return _label_from_file_name(place, _WORDS)


def has_wordnet_id(place: Place) -> bool:
    """Whether the file is named as in ImageNet, `n02504458_...`."""
    return _WORDNET_ID.match(place.file_name) is not None


def ends_in_a_number(place: Place) -> bool:
    """Whether the file name is letters and a number, as pictures are named that were numbered by label."""
    return _NUMBERED.fullmatch(PurePosixPath(place.file_name).stem) is not None


def clean_label(text: str) -> str:
    """A label in the one form it is compared and stored in: NFC, single blanks, none around it."""
    return sys.intern(" ".join(unicodedata.normalize("NFC", text).split()))  # one string for thousands of samples


def _label_from_file_name(place: Place, pattern: re.Pattern[str]) -> str | None:
    stem = PurePosixPath(place.file_name).stem
    if wordnet := _WORDNET_ID.match(stem):
        words = _WORDS.match(wordnet[2])
        return clean_label(words.group() if words else wordnet[1])
    start = pattern.match(stem)
    return clean_label(start.group()) if start else None


def _without_folders_around(paths: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The folders of each path, outermost first, without those that hold everything and cannot be labels."""
    folders = {path: tuple(path.split("/")) if path else () for path in paths}
    around = _around_everything([one for one in folders.values() if one])
    return {path: one[around:] for path, one in folders.items()}


def _around_everything(folders: Sequence[tuple[str, ...]]) -> int:
    """How many folders, from the outside, hold everything and cannot be what the pictures differ in."""
    if not folders:
        return 0
    innermost = min(len(one) for one in folders) - 1
    for depth in range(innermost):
        if split_named(folders[0][depth]) or any(one[depth] != folders[0][depth] for one in folders):
            return depth
    return innermost
