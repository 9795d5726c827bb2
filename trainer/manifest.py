"""The manifest: the ordered list of all samples with content hashes; the only input of a run."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from trainer.progress import Progress

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Sample:
    """One picture file and its label.

    Attributes:
        path: where the file is.
        name: its path relative to the data folder, with forward slashes; unique, and always valid Unicode.
        label: the class name.
        digest: SHA-256 of the file's bytes, 64 hex digits.
        split: the split that the data gives it, None if it gives none.
    """

    path: Path
    name: str
    label: str
    digest: str
    split: Split | None


@dataclass(frozen=True)
class PassedOver:
    """A file that is not learned from, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Manifest:
    """All samples of a run.

    Attributes:
        samples: sorted by name.
        labels: sorted; a label's position is its class index.
        passed_over: files in the data that are no samples.
        missing: names that a table lists without there being a file.
        labels_from: a sentence part saying where labels come from, and whether that was guessed.
    """

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    passed_over: tuple[PassedOver, ...]
    missing: tuple[str, ...]
    labels_from: str

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted (digest, label, given split) of all samples: the same wherever the files lie."""
        lines = sorted(f"{sample.digest}\t{sample.label}\t{sample.split or ''}" for sample in self.samples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def without(self, names: Collection[str]) -> "Manifest":
        """The manifest without the samples of these names, and without labels that no sample has any more."""
        gone = frozenset(names)
        samples = tuple(sample for sample in self.samples if sample.name not in gone)
        return replace(self, samples=samples, labels=tuple(sorted({sample.label for sample in samples})))


def read_manifest(
    data: Path,
    *,
    labels: str = "auto",
    cache_dir: Path,
    max_missing: float = 0.1,
    rehash: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Find the pictures under `data`, their labels, given splits and content hashes.

    Args:
        data: a folder of pictures, or a TSV or CSV table that lists them.
        labels: "folder", "prefix", the path of a TSV or CSV table, or "auto" to choose what is plain.
        cache_dir: where the hashes of known files are remembered.
        max_missing: the fraction of a table's rows that may name a file that is not there.
        rehash: read every file again, whatever is remembered.
        progress: told how the hashing goes; silent by default.

    Raises:
        UsageError: `data` is not there, or `labels` cannot be meant or must be chosen.
        BadData: there are no pictures, or the table cannot be used.
    """
    raise NotImplementedError
