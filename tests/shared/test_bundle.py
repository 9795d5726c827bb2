"""Bundle: read with suspicion. What is not exactly what was published is refused, with the file and the reason."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.bundle import (
    METADATA_FILE,
    MODEL_FILE,
    BundleMetadata,
    FileEntry,
    ReferenceInfo,
    content_digest,
    format_metadata,
    read_bundle,
    read_metadata,
)
from shared.errors import BundleCorrupted, BundleError, BundleIncomplete, BundleInvalid, ModelMissing
from shared.files import sha256_of
from tests.shared.models import LABELS, classifier, metadata_fields, write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole bundle."""
    path = tmp_path / "pets" / "20251122T080000000Z-01234567"
    path.mkdir(parents=True)
    write_bundle(path)
    return path


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change bundle.json as somebody would who knows its digest of itself."""
    raw = json.loads((folder / METADATA_FILE).read_bytes())
    del raw["metadata_sha256"]
    change(raw)
    own = sha256_of(json.dumps(raw, sort_keys=True, separators=(",", ":")).encode())
    (folder / METADATA_FILE).write_text(json.dumps({"metadata_sha256": own} | raw))


def test_a_whole_bundle_is_read(folder: Path) -> None:
    bundle = read_bundle(folder)

    assert (bundle.version, bundle.metadata.labels) == (folder.name, LABELS)
    assert set(bundle.metadata.files) == {
        "model.onnx", "labels.txt", "report.html", "golden/images.npy", "golden/probabilities.npy"
    }  # fmt: skip
    assert (bundle.model_path, bundle.read_model()) == (folder / MODEL_FILE, classifier())


def test_the_metadata_survives_its_file(folder: Path) -> None:
    metadata = read_metadata(folder)

    assert format_metadata(metadata) == (folder / METADATA_FILE).read_bytes()
    assert metadata.settings == {"top_k": 5, "by_count": {"2": "two", "10": "ten"}}


def test_what_is_no_bundle_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ModelMissing, match="no bundle here"):
            read_bundle(path)


@given(file=st.integers(0, 4), position=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_of_any_listed_file_is_refused(folder: Path, file: int, position: float, flip: int) -> None:
    path = folder / sorted(read_metadata(folder).files)[file]
    content = path.read_bytes()
    at = int(position * len(content))

    path.write_bytes(content[:at] + bytes((content[at] ^ flip,)) + content[at + 1 :])
    try:
        with pytest.raises(BundleCorrupted, match="SHA-256 starts"):
            read_bundle(folder)
    finally:
        path.write_bytes(content)


@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(32, 126))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_of_bundle_json_is_refused_unless_it_says_the_same(
    folder: Path, position: float, byte: int
) -> None:
    """A label that was altered on disk would be served as an answer."""
    path, whole = folder / METADATA_FILE, read_metadata(folder)
    content = path.read_bytes()
    at = int(position * len(content))

    path.write_bytes(content[:at] + bytes((byte,)) + content[at + 1 :])
    try:
        assert read_bundle(folder).metadata == whole
    except BundleError:
        pass
    finally:
        path.write_bytes(content)


def test_an_altered_label_is_refused(folder: Path) -> None:
    path = folder / METADATA_FILE
    path.write_bytes(path.read_bytes().replace(b'"cat"', b'"cow"'))

    with pytest.raises(BundleCorrupted, match=METADATA_FILE):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["model.onnx", "golden/images.npy"])
def test_a_missing_cut_or_special_file_is_incomplete(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()

    path.write_bytes(content[:-1])
    with pytest.raises(BundleIncomplete, match=f"{len(content) - 1:,} bytes, bundle.json says {len(content):,}"):
        read_bundle(folder)

    path.unlink()
    with pytest.raises(BundleIncomplete, match="missing or not a plain file"):
        read_bundle(folder)

    path.mkdir()
    with pytest.raises(BundleIncomplete, match="missing or not a plain file"):
        read_bundle(folder)


def test_a_pipe_in_the_place_of_bundle_json_is_not_waited_for(folder: Path) -> None:
    (folder / METADATA_FILE).unlink()
    os.mkfifo(folder / METADATA_FILE)

    with pytest.raises(BundleIncomplete, match="not a plain file"):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["model.onnx", "bundle.json", "golden"])
def test_a_link_is_refused_even_to_the_same_content_and_even_of_a_folder(folder: Path, name: str) -> None:
    elsewhere = folder.parent / "elsewhere"
    (folder / name).rename(elsewhere)
    (folder / name).symlink_to(elsewhere)

    with pytest.raises(BundleIncomplete, match="a link, expected a plain file"):
        read_bundle(folder)


def test_a_bundle_may_be_reached_through_a_link(folder: Path) -> None:
    """Mounted volumes do that."""
    way = folder.parents[1] / "way"
    way.symlink_to(folder.parent)

    assert read_bundle(way / folder.name).metadata == read_bundle(folder).metadata


def test_a_file_that_is_not_listed_is_ignored(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"?")

    read_bundle(folder)


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../x", "/x", "./x", "a//x", "a\\x", "", "a/", "..", ".hidden", "a\0b", "\ud800", "C:x", "~/x", "a b"],
)
def test_a_name_outside_the_folder_or_outside_the_pattern_is_refused(folder: Path, name: str) -> None:
    rewrite(folder, lambda raw: raw["files"].update({name: {"sha256": "0" * 64, "size_bytes": 1}}))

    with pytest.raises(BundleInvalid, match="files"):
        read_bundle(folder)


REFERENCE = {"pictures": 3, "groups": 2, "effective": 2.5, "counts": [2, 1, 0], "novelty_effective": None}


def test_what_traffic_is_compared_with_is_read(folder: Path) -> None:
    """Bundles of earlier trainers lack it, and are read as ever."""
    assert read_bundle(folder).metadata.reference is None

    rewrite(folder, put(reference=REFERENCE))

    assert read_bundle(folder).metadata.reference == ReferenceInfo.model_validate(REFERENCE)


def remove(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda raw: raw.pop(key)


def put(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda raw: raw.update(fields)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (put(schema_version=2), "schema_version is 2, expected 1"),
        (put(schema_version="1"), "schema_version is '1', expected 1"),
        (remove("schema_version"), "schema_version is None, expected 1"),
        (put(name="../pets"), "name: String should match"),
        (put(labels=["cat"]), "labels: .* at least 2"),
        (put(labels=["cat", "cat"]), "a label is listed twice"),
        (put(labels=["cat", ""]), "labels.1: .* at least 1"),
        (put(labels=["cat", "a\nb"]), "labels.1: String should match"),
        (
            put(surprise=1),
            "surprise: Extra inputs are not permitted; if a newer trainer wrote this, update what reads it first",
        ),
        (remove("spec"), "spec: Field required"),
        (put(spec={"height": 0}), "spec.height"),
        (put(content_sha256="0"), "content_sha256"),
        (put(precision="float16"), "precision"),
        (put(reference=REFERENCE | {"pictures": 4}), "reference counts 3 pictures of 3 labels, expected 4 of 3"),
        (put(reference=REFERENCE | {"counts": [3]}), "reference counts 3 pictures of 1 labels, expected 3 of 3"),
        (put(reference=REFERENCE | {"counts": [4, -1, 0]}), "reference.counts.1: .* greater than or equal to 0"),
        (lambda raw: raw["files"].pop(MODEL_FILE), "model.onnx is not among its files"),
    ],
)
def test_metadata_that_cannot_be_understood_is_refused_with_the_field(
    folder: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    rewrite(folder, change)

    with pytest.raises(BundleInvalid, match=why):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1]", "it holds a list, expected an object"),
        ('{"metrics": NaN}', "not JSON .NaN is no number"),
        ("[" * 100_000, "not JSON"),
        ("\xff", "schema|JSON"),
    ],
)
def test_what_is_not_json_is_refused(folder: Path, text: str, why: str) -> None:
    (folder / METADATA_FILE).write_bytes(text.encode("latin-1"))

    with pytest.raises(BundleInvalid, match=why):
        read_bundle(folder)


def test_a_huge_bundle_json_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / METADATA_FILE).open("r+b") as file:
        file.truncate(10**9)

    with pytest.raises(BundleInvalid, match="1,000,000,000 bytes"):
        read_bundle(folder)


def test_a_wrong_content_hash_is_refused(folder: Path) -> None:
    rewrite(folder, put(content_sha256="0" * 64))

    with pytest.raises(BundleCorrupted):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (classifier(head_domain="com.microsoft"), "domain 'com.microsoft'"),
        (b"no model", "not a readable ONNX file"),
        (classifier(external=True), "in another file"),
    ],
)
def test_a_model_that_does_not_stand_on_its_own_is_refused(tmp_path: Path, model: bytes, why: str) -> None:
    """Although every digest is right: who writes a bundle can write those as well."""
    write_bundle(tmp_path, model=model)

    with pytest.raises(BundleInvalid, match=why):
        read_bundle(tmp_path)


def test_a_model_that_changes_after_it_was_checked_is_not_handed_out(folder: Path) -> None:
    bundle = read_bundle(folder)
    changed = bytearray(classifier())
    changed[-1] ^= 1
    bundle.model_path.write_bytes(changed)

    with pytest.raises(BundleCorrupted):
        bundle.read_model()


def test_the_content_hash_is_about_what_repeats_and_not_about_reports() -> None:
    def entry(digit: str) -> FileEntry:
        return FileEntry(sha256=digit * 64, size_bytes=1)

    files = {"model.onnx": entry("1"), "golden/pictures/000": entry("2"), "report.html": entry("3")}

    assert content_digest(files) == content_digest(files | {"report.html": entry("4"), "run.json": entry("5")})
    assert content_digest(files) == content_digest(dict(reversed(files.items())))
    assert content_digest(files) != content_digest(files | {"model.onnx": entry("4")})
    assert content_digest(files) != content_digest(files | {"golden/pictures/000": entry("4")})


def test_a_number_that_is_not_finite_becomes_null() -> None:
    """JSON has no other word for it, and readers of other languages would refuse the whole file."""
    fields = metadata_fields() | {"files": {}, "content_sha256": "0" * 64}
    metrics = {"log_loss": float("nan"), "best": float("inf")}

    written = json.loads(format_metadata(BundleMetadata.model_validate(fields | {"metrics": metrics})))

    assert written["metrics"] == {"log_loss": None, "best": None}
