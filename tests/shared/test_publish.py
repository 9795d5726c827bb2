"""Publishing: whole or not at all, in order, one at a time, and back again."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bundle import CURRENT_FILE, METADATA_FILE, VERSION_PATTERN, read_bundle
from shared.errors import (
    BundleCorrupted,
    BundleError,
    BundleIncomplete,
    BundleInvalid,
    CurrentMissing,
    ModelMissing,
    PublishConflict,
)
from shared.lock import locked
from shared.publish import (
    list_also,
    list_versions,
    model_names,
    new_version,
    publish,
    read_current,
    resolve,
    rollback,
    seal,
    staging_folder,
)
from tests.shared.models import metadata_fields, publish_pets, write_bundle

DIGEST = "abcdef01" + "0" * 56


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """The folder of a model that was published three times."""
    for _ in range(3):
        publish_pets(tmp_path)
    return tmp_path / "pets"


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_published_bundle_is_whole_and_current_and_nothing_else_is_left(tmp_path: Path) -> None:
    bundle = publish_pets(tmp_path)

    assert re.fullmatch(VERSION_PATTERN, bundle.version)
    assert bundle.version.endswith(f"-{bundle.metadata.content_sha256[:8]}")
    assert (tmp_path / "pets" / CURRENT_FILE).read_text() == f"{bundle.version}\n"
    assert read_bundle(resolve(tmp_path / "pets")) == bundle
    assert names_in(tmp_path / "pets") == {bundle.version, CURRENT_FILE, ".lock"}


def test_versions_are_in_the_order_of_publishing(tmp_path: Path) -> None:
    published = [publish_pets(tmp_path).version for _ in range(5)]

    assert list_versions(tmp_path / "pets") == published
    assert read_current(tmp_path / "pets") == published[-1]
    assert model_names(tmp_path) == ["pets"]


@pytest.mark.parametrize("damage", ["unsealed", "missing", "altered"])
def test_a_folder_that_is_not_whole_is_not_published(tmp_path: Path, damage: str) -> None:
    before = publish_pets(tmp_path)

    with staging_folder(tmp_path, "pets") as folder:
        write_bundle(folder)
        if damage == "unsealed":
            (folder / METADATA_FILE).unlink()
        elif damage == "missing":
            (folder / "labels.txt").unlink()
        else:
            (folder / "labels.txt").write_text("cat\ncow\nteddy bear\n")
        with pytest.raises(BundleError):
            publish(folder, tmp_path)

    assert list_versions(tmp_path / "pets") == [before.version]
    assert read_current(tmp_path / "pets") == before.version


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "No/Name"}, "name: String should match"),
        ({"labels": ("cat",)}, "at least 2"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"settings": {"data": object()}}, "bundle.json: .*serialize"),
    ],
)
def test_fields_that_make_no_sense_are_refused_when_the_bundle_is_sealed(
    tmp_path: Path, fields: dict[str, object], why: str
) -> None:
    with pytest.raises(BundleInvalid, match=why):
        seal(tmp_path, metadata_fields() | fields)


def test_a_bundle_that_is_sealed_again_is_sealed_the_same(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    first = (tmp_path / METADATA_FILE).read_bytes()

    seal(tmp_path, metadata_fields())

    assert (tmp_path / METADATA_FILE).read_bytes() == first


def test_a_staging_folder_is_removed_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="in training"), staging_folder(tmp_path, "pets") as folder:
        (folder / "model.onnx").write_bytes(b"half")
        raise RuntimeError("in training")

    assert names_in(tmp_path / "pets") == {".lock"}


def test_a_living_run_keeps_its_staging_folder_and_a_dead_one_does_not(tmp_path: Path) -> None:
    with staging_folder(tmp_path, "pets") as living:
        (living / "golden").mkdir()
        dead = living.with_name(".staging-dead")
        (dead / "golden").mkdir(parents=True)
        (living.parent / ".current.0123").write_bytes(b"2025")
        (living.parent / ".removed-20200101T000000000Z-00000000").mkdir()

        with staging_folder(tmp_path, "pets") as second:
            assert names_in(tmp_path / "pets") == {living.name, second.name, ".lock"}
            assert (living / "golden").is_dir()


@pytest.mark.parametrize("name", ["", "..", "a/b", "Pets", "-x", "x" * 64, "ünicode"])
def test_a_name_that_is_none_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleInvalid, match="is no name for a model"), staging_folder(tmp_path, name):
        pytest.fail("staged")

    assert names_in(tmp_path) == set()


def test_publishing_waits_for_another_program_only_so_long(tmp_path: Path) -> None:
    publish_pets(tmp_path)

    with staging_folder(tmp_path, "pets") as folder:
        write_bundle(folder)
        with locked(tmp_path / "pets" / ".lock", wait_s=0):
            with pytest.raises(PublishConflict, match="locked by another program"):
                publish(folder, tmp_path, wait_s=0.1)
            with pytest.raises(PublishConflict), staging_folder(tmp_path, "pets", wait_s=0.1):
                pytest.fail("staged while another program holds the lock")
            with pytest.raises(PublishConflict):
                rollback(tmp_path, "pets", wait_s=0.1)
        publish(folder, tmp_path)

    assert len(list_versions(tmp_path / "pets")) == 2


def test_old_versions_are_dropped_and_the_current_one_never(pets: Path) -> None:
    versions = list_versions(pets)

    newest = publish_pets(pets.parent, keep_versions=2).version
    assert list_versions(pets) == [versions[-1], newest]

    rollback(pets.parent, "pets")
    newest = publish_pets(pets.parent, keep_versions=1).version
    assert (list_versions(pets), read_current(pets)) == ([newest], newest)
    assert names_in(pets) == {newest, CURRENT_FILE, ".lock"}


def test_to_keep_no_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep_versions = 0"):
        publish_pets(tmp_path, keep_versions=0)


# --- rollback ---


def test_rollback_goes_one_back_each_time_and_then_says_there_is_none(pets: Path) -> None:
    first, second, _ = list_versions(pets)

    assert rollback(pets.parent, "pets").version == second
    assert rollback(pets.parent, "pets").version == first
    with pytest.raises(ModelMissing, match=f"older than the current one, {first}.*rollback pets VERSION"):
        rollback(pets.parent, "pets")

    assert read_current(pets) == first
    assert len(list_versions(pets)) == 3


def test_rollback_goes_to_any_named_version_forwards_too(pets: Path) -> None:
    first, _, third = list_versions(pets)

    assert rollback(pets.parent, "pets", first).version == first
    assert rollback(pets.parent, "pets", third).version == third
    assert resolve(pets) == pets / third


@pytest.mark.parametrize("damaged_file", ["model.onnx", METADATA_FILE])
def test_rollback_refuses_a_damaged_version_and_changes_nothing(pets: Path, damaged_file: str) -> None:
    _, second, third = list_versions(pets)
    path = pets / second / damaged_file
    path.write_bytes(path.read_bytes().replace(b"cat", b"cow").replace(b"weight", b"height"))

    for version in (None, second):
        with pytest.raises(BundleCorrupted):
            rollback(pets.parent, "pets", version)

    assert read_current(pets) == third


@pytest.mark.parametrize(
    ("name", "version"), [("dogs", None), ("pets", "20200101T000000000Z-00000000"), ("pets", "..")]
)
def test_rollback_names_the_choices_when_there_is_no_such_model_or_version(
    pets: Path, name: str, version: str | None
) -> None:
    choices = ["pets"] if name == "dogs" else list_versions(pets)
    with pytest.raises(ModelMissing) as caught:
        rollback(pets.parent, name, version)

    assert all(choice in str(caught.value) for choice in choices)


def test_what_rollback_says_of_a_model_that_is_not_there_can_be_followed(pets: Path) -> None:
    """It advised models/NAME, which it then refused."""
    with pytest.raises(ModelMissing, match=r"dogs: no such model; there is pets\. Say .* rollback NAME, without"):
        rollback(pets.parent, "dogs")
    with pytest.raises(ModelMissing, match=r"pets: no version '2020'; there is .* rollback pets VERSION\."):
        rollback(pets.parent, "pets", "2020")


def test_versions_without_a_current_file_are_told_as_that_and_mended_by_naming_one(pets: Path) -> None:
    """It was said that no bundle is here, and to name what had been named."""
    (pets / CURRENT_FILE).unlink()
    versions = list_versions(pets)

    for look in (lambda: resolve(pets), lambda: rollback(pets.parent, "pets")):
        with pytest.raises(CurrentMissing, match=r"there is no file `current`.*rollback pets VERSION") as told:
            look()
        assert all(version in str(told.value) for version in versions)
    rollback(pets.parent, "pets", versions[0])

    assert resolve(pets) == pets / versions[0]


def test_an_empty_current_file_is_told_as_empty_with_what_mends_it(pets: Path) -> None:
    (pets / CURRENT_FILE).write_text("")

    with pytest.raises(BundleInvalid, match=r"current: it is empty.*rollback NAME VERSION"):
        read_current(pets)


def test_rollback_does_not_leave_the_models_folder(pets: Path) -> None:
    (pets / "inner").mkdir()
    with pytest.raises(ModelMissing):
        rollback(pets / "inner", "..")


def test_rollback_mends_a_current_file_that_is_damaged(pets: Path) -> None:
    (pets / CURRENT_FILE).write_text("???")
    with pytest.raises(BundleInvalid, match="is not a version"):
        rollback(pets.parent, "pets")

    version = list_versions(pets)[1]
    rollback(pets.parent, "pets", version)

    assert read_current(pets) == version


# --- what is where ---


@pytest.mark.parametrize("content", [b"", b"../../etc", b"20251122T080000000Z-0123456g", b"\xff\xfe", b"a\nb"])
def test_a_current_file_that_names_no_version_is_invalid(pets: Path, content: bytes) -> None:
    (pets / CURRENT_FILE).write_bytes(content)

    with pytest.raises(BundleInvalid, match="current"):
        read_current(pets)


def test_a_model_that_is_not_there_is_missing_and_the_others_are_named(pets: Path) -> None:
    with pytest.raises(ModelMissing, match="there is pets"):
        resolve(pets.parent / "dogs")


def test_a_version_is_resolved_to_itself(pets: Path) -> None:
    oldest = pets / list_versions(pets)[0]

    assert resolve(oldest) == oldest


def test_only_models_with_a_current_version_are_named(tmp_path: Path) -> None:
    publish_pets(tmp_path)
    for name in ("unfinished", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / ".hidden" / CURRENT_FILE).write_text("x")
    (tmp_path / "a-file").write_text("x")

    assert model_names(tmp_path) == ["pets"]
    assert model_names(tmp_path / "nowhere") == []


def test_a_model_that_cannot_be_looked_at_does_not_hide_the_others(tmp_path: Path) -> None:
    """They are named in the message about a model that is not there, which must not become another error."""
    publish_pets(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / CURRENT_FILE).symlink_to("x" * 300)  # on Python 3.11 `exists` raises for it

    assert model_names(tmp_path) == ["pets"]


def test_what_only_looks_like_a_version_is_none(pets: Path) -> None:
    versions = list_versions(pets)
    (pets / "20200101T000000000Z-00000000").write_text("a file")
    (pets / "20200101T000000000Z-00000000.bak").mkdir()

    assert list_versions(pets) == versions


# --- new_version ---


def test_a_new_version_says_the_time_and_the_content(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    version = new_version(tmp_path, DIGEST)
    after = datetime.now(UTC)

    stamp = datetime.strptime(f"{version[:18]}000+0000", "%Y%m%dT%H%M%S%f%z")
    assert version.endswith("Z-abcdef01")
    assert before.replace(microsecond=before.microsecond // 1000 * 1000) <= stamp <= after


@given(
    date=st.integers(21000101, 99991230),
    time=st.one_of(st.integers(0, 999_999_999), st.sampled_from([235_959_999, 999_999_999])),
)
@settings(max_examples=60, deadline=None)
def test_a_version_sorts_last_although_the_clock_went_back(
    tmp_path_factory: pytest.TempPathFactory, date: int, time: int
) -> None:
    """The next one after the last millisecond of a day, or of all digits, is still a version."""
    parent = tmp_path_factory.mktemp("clock")
    latest = f"{date}T{time:09d}Z-ffffffff"
    (parent / latest).mkdir()

    for _ in range(3):
        version = new_version(parent, "0" * 64)
        assert re.fullmatch(VERSION_PATTERN, version)
        assert version > max(list_versions(parent))
        (parent / version).mkdir()


def test_a_second_version_in_the_same_moment_waits_for_the_next(tmp_path: Path) -> None:
    for _ in range(20):
        version = new_version(tmp_path, "0" * 64)
        assert version > max(list_versions(tmp_path), default="")
        (tmp_path / version).mkdir()


def test_a_link_in_the_staging_folder_is_not_published(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")

    with staging_folder(tmp_path, "pets") as folder:
        (folder / "run.json").symlink_to(secret)
        write_bundle(folder)
        with pytest.raises(BundleIncomplete, match="a link"):
            publish(folder, tmp_path)


def test_a_report_can_follow_and_the_bundle_is_whole_before_and_after(pets: Path) -> None:
    """Nobody waits for a report to be served; whoever reads meanwhile meets no half-written bundle."""
    bundle = read_bundle(resolve(pets))
    (bundle.path / "card.md").write_text("left by a run that was killed")
    assert read_bundle(bundle.path) == bundle, "unlisted, it does not matter"

    listed = list_also(bundle, {"card.md": b"late"})

    assert read_bundle(bundle.path) == listed
    assert listed.metadata.content_sha256 == bundle.metadata.content_sha256
    (bundle.path / "card.md").write_text("forged")
    with pytest.raises(BundleError):
        read_bundle(bundle.path)


def test_damage_is_not_blessed_by_listing_another_file(pets: Path) -> None:
    bundle = read_bundle(resolve(pets))
    (bundle.path / "labels.txt").write_text("cat\nfish\n")

    list_also(bundle, {"card.md": b"late"})

    with pytest.raises(BundleError):
        read_bundle(bundle.path)


def test_what_a_service_acts_on_cannot_be_listed_later(pets: Path) -> None:
    bundle = read_bundle(resolve(pets))

    with pytest.raises(BundleInvalid, match="the content is fixed"):
        list_also(bundle, {"metrics.json": b"{}"})

    assert read_bundle(bundle.path) == bundle


def test_of_two_reports_the_first_stays_and_the_bundle_whole(pets: Path) -> None:
    """Two equal runs may end at once; each knows the bundle as it was before either had added its report."""
    before = read_bundle(resolve(pets))
    first = list_also(before, {"card.md": b"one"})

    second = list_also(before, {"card.md": b"two", "report.html": b"<p>"})

    assert read_bundle(before.path) == second
    assert (before.path / "card.md").read_bytes() == b"one"
    assert {**first.metadata.files, **second.metadata.files} == second.metadata.files


def test_nothing_is_listed_while_another_program_holds_the_model(pets: Path) -> None:
    bundle = read_bundle(resolve(pets))

    with locked(pets / ".lock", wait_s=0), pytest.raises(PublishConflict):
        list_also(bundle, {"card.md": b"late"}, wait_s=0)

    assert not (bundle.path / "card.md").exists()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_a_current_that_is_no_plain_file_is_refused_and_not_waited_for(
    make: Callable[[Path], object], tmp_path: Path
) -> None:
    make(tmp_path / CURRENT_FILE)

    with pytest.raises(BundleInvalid, match="not a plain file"):
        read_current(tmp_path)
