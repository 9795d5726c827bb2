"""service/model_store.py: a folder of this machine, and what befalls folders."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.model_store import LocalStore
from service.store_errors import StoreUnreachable
from shared.bundle import CURRENT_FILE, METADATA_FILE, MODEL_FILE, Bundle
from shared.errors import BundleError, BundleInvalid, ModelMissing
from shared.publish import list_also


def test_models_are_the_folders_that_have_or_had_a_current(models_dir: Path) -> None:
    """Each model that is followed costs a thread; folders of anything else may be many."""
    for name in ("cats", ".staging", "lost+found", "pictures"):
        (models_dir / name).mkdir()
    (models_dir / "README").write_text("hello")
    store = LocalStore(models_dir)
    assert store.names() == frozenset()

    (models_dir / "cats" / CURRENT_FILE).touch()
    assert store.names() == {"cats"}

    (models_dir / "cats" / CURRENT_FILE).unlink()
    assert store.names() == {"cats"}

    (models_dir / "cats").rmdir()
    assert store.names() == frozenset()


def test_a_volume_that_was_unmounted_is_not_taken_for_an_empty_one(bundle: Bundle, models_dir: Path) -> None:
    """What is left then is the folder that it was mounted on: empty, and another one."""
    store = LocalStore(models_dir)
    assert store.names() == {"colours"}
    models_dir.rename(models_dir.with_name("away"))
    models_dir.mkdir()

    with pytest.raises(StoreUnreachable, match="not mounted"):
        store.names()

    shutil.rmtree(models_dir)
    models_dir.with_name("away").rename(models_dir)
    assert store.names() == {"colours"}


def test_the_last_model_may_be_removed(bundle: Bundle, models_dir: Path) -> None:
    store = LocalStore(models_dir)
    store.names()
    shutil.rmtree(models_dir / "colours")

    assert store.names() == frozenset()


def test_a_current_that_is_being_written_in_place_is_read_again(bundle: Bundle, models_dir: Path) -> None:
    """`echo VERSION > current` empties the file before it fills it."""
    file = models_dir / "colours" / CURRENT_FILE
    file.write_text(bundle.version[:10])
    store = LocalStore(models_dir, pause=lambda _: file.write_text(f"{bundle.version}\n"))

    assert store.current("colours") == bundle.version


def test_a_current_that_stays_torn_is_told(bundle: Bundle, models_dir: Path) -> None:
    (models_dir / "colours" / CURRENT_FILE).write_text(bundle.version[:10])

    with pytest.raises(BundleInvalid, match="is not a version"):
        LocalStore(models_dir).current("colours")


def test_a_version_that_is_missing_is_told_with_those_that_are_there(bundle: Bundle, models_dir: Path) -> None:
    with pytest.raises(ModelMissing, match=bundle.version):
        LocalStore(models_dir).obtain("colours", "20260101T000000000Z-00000000")


def test_a_report_that_is_added_later_changes_the_state_and_not_the_content(bundle: Bundle, models_dir: Path) -> None:
    store, model = LocalStore(models_dir), ("colours", bundle.version)
    state, content = store.state(*model), store.content(*model)
    list_also(bundle, {"report.html": b"<html>"})

    assert store.state(*model) != state
    assert store.content(*model) == content


def cut(path: Path) -> None:
    (path / MODEL_FILE).write_bytes(b"cut")


def replaced(path: Path) -> None:
    other = path / "other"
    shutil.copy(path / MODEL_FILE, other)
    with other.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x00")
    os.utime(other, ns=(0, (path / MODEL_FILE).stat().st_mtime_ns))
    other.replace(path / MODEL_FILE)


def gone(path: Path) -> None:
    shutil.rmtree(path)


def dangling(path: Path) -> None:
    (path / METADATA_FILE).unlink()
    (path / METADATA_FILE).symlink_to("nowhere")


@pytest.mark.parametrize("change", [cut, replaced, gone, dangling])
def test_any_change_of_a_version_changes_its_state_and_is_found_by_reading(
    change: Callable[[Path], None], bundle: Bundle, models_dir: Path
) -> None:
    """Even one that keeps size and date."""
    store, model = LocalStore(models_dir), ("colours", bundle.version)
    state = store.state(*model)
    change(bundle.path)

    assert store.state(*model) != state
    with pytest.raises(BundleError):
        store.content(*model)
