"""docs/bundle.md names every field of bundle.json, so that whoever reads bundles elsewhere misses none."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from shared.bundle import BackboneInfo, BundleMetadata, EvidenceInfo, FileEntry, ReferenceInfo, SplitInfo, Thresholds
from shared.preprocess import PreprocessSpec

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## bundle.json")[2].partition("\n## ")[0]
ROWS = {
    field: line
    for line in SECTION.splitlines()
    if line.startswith("| `")
    for field in re.findall(r"`(\w+)`", line.split("|")[1])
}
PARTS: dict[str, type[BaseModel]] = {
    "spec": PreprocessSpec,
    "backbone": BackboneInfo,
    "thresholds": Thresholds,
    "evidence": EvidenceInfo,
    "reference": ReferenceInfo,
    "split": SplitInfo,
    "files": FileEntry,
}


def fields_of_parts() -> Iterator[tuple[str, str]]:
    return ((row, field) for row, part in PARTS.items() for field in part.model_fields)


@pytest.mark.parametrize("field", list(BundleMetadata.model_fields))
def test_every_field_has_a_row(field: str) -> None:
    assert field in ROWS


def test_every_row_is_a_field() -> None:
    assert ROWS.keys() - BundleMetadata.model_fields.keys() == {"metadata_sha256"}


@pytest.mark.parametrize(("row", "field"), list(fields_of_parts()))
def test_every_field_of_a_part_is_named_in_its_row(row: str, field: str) -> None:
    assert f"`{field}`" in ROWS[row]


def test_every_part_is_looked_at() -> None:
    """A part that is added to the schema must be added here."""
    parts = {
        name
        for name, field in BundleMetadata.model_fields.items()
        for part in (field.annotation, *get_args(field.annotation))
        if isinstance(part, type) and issubclass(part, BaseModel)
    }

    assert parts | {"files"} == PARTS.keys()
