"""The words of the manifest: sample, split, what was passed over, and the manifest itself."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture file and its label.

    Attributes:
        location: the path of the file. As text: 100,000 of a manifest are 10 MB, and as `Path` objects 70.
        name: its path relative to the data folder, with forward slashes; unique, and always valid Unicode. One of a
            named test set has that set's mark before it.
        label: the class name.
        digest: SHA-256 of the file's bytes, 64 hex digits.
        split: the split that the data gives it, None if it gives none.
        group: what `--group-by` calls its group, None if it says nothing.
    """

    location: str
    name: str
    label: str
    digest: str
    split: Split | None
    group: str | None = None

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self.location)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file that is not learned from, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Twin:
    """A sample that the named test set has too, and that is therefore not learned from.

    Attributes:
        sample: that was left out.
        like: the sample of the test set.
        how: what the one is to the other, words that the latter's name follows: "the same file as".
    """

    sample: Sample
    like: Sample
    how: str

    @property
    def text(self) -> str:
        """Why it was left out, for a reader; two labels of one picture are said."""
        other = "" if self.sample.label == self.like.label else f", there {self.like.label}, here {self.sample.label}"
        return f"{self.how} {self.like.name}{other}"


@dataclass(frozen=True)
class NamedTest:
    """The test set that `--test` names. Its samples are those of the manifest whose names begin with the mark.

    Attributes:
        name: of its folder, table or archive, without its place.
        labels_from: where its labels come from, as of a manifest.
        mark: what the names of its samples begin with, and no other name does.
        twins: samples that were left out because it has them too; empty until pictures have been compared.
    """

    name: str
    labels_from: str
    mark: str
    twins: tuple[Twin, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """All samples of a run.

    Attributes:
        samples: sorted by name.
        labels: sorted; a label's position is its class index. Each has samples, unless they were left out.
        passed_over: files in the data that are no samples, sorted by name.
        missing: names that a table lists without there being a file.
        labels_from: a sentence part saying where labels come from, and whether that was guessed.
        unreadable: labelled pictures that cannot be opened, sorted by name; without bytes they are no samples, but
            they count as unusable, and their labels are among `labels`.
        test: the named test set, whose samples are among these; None where none is named.
        empty_folders: folders that would give a label which no picture has, sorted by name.
    """

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    passed_over: tuple[PassedOver, ...]
    missing: tuple[str, ...]
    labels_from: str
    unreadable: tuple[PassedOver, ...] = ()
    test: NamedTest | None = None
    empty_folders: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[bool, ...]:
        """What `is_test` can be: the pictures to learn from and a named test set are judged each by itself."""
        return (False,) if self.test is None else (False, True)

    def is_test(self, name: str) -> bool:
        """Whether the file of this name is of the named test set."""
        return self.test is not None and name.startswith(self.test.mark)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted (digest, label, given split, group) of all samples, wherever the files lie."""
        return hashlib.sha256("\n".join(sorted(map(_line, self.samples))).encode()).hexdigest()

    def without(self, names: Collection[str]) -> "Manifest":
        """The manifest without the samples of these names. Labels stay, so that the audit can name an empty one."""
        gone = frozenset(names)
        return replace(self, samples=tuple(sample for sample in self.samples if sample.name not in gone))

    def of_rows(self, rows: Iterable[int]) -> "Manifest":
        """The manifest with the samples of these positions only, as `Features.readable` has them. Labels stay."""
        return replace(self, samples=tuple(self.samples[row] for row in rows))


def _line(sample: Sample) -> str:
    said = f"{sample.digest}\t{sample.label}\t{sample.split or ''}"
    return said if sample.group is None else f"{said}\t{sample.group}"
