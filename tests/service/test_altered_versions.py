"""The files of a version that is served change: that is told, and what was loaded is served on."""

import shutil
from pathlib import Path

import pytest

from service.loading import open_generation
from service.model_store import LocalStore
from service.watcher import Watcher
from shared.bundle import Bundle
from shared.publish import list_also
from tests.service.bundles import publish_bundle
from tests.service.shelf import Shelf


@pytest.fixture
def real(models_dir: Path) -> Shelf:
    """A shelf of real bundles."""
    shelf = Shelf(models_dir)
    shelf.watcher = Watcher(
        shelf.registry, LocalStore(models_dir), open_version=open_generation, clock=shelf.clock, random=lambda: 0.0
    )
    return shelf


def test_files_of_a_served_version_that_change_are_told_once_and_what_was_loaded_is_served_on(
    real: Shelf, bundle: Bundle
) -> None:
    real.poll()
    content = bundle.model_path.read_bytes()
    bundle.model_path.write_bytes(content[:-10])
    for _ in range(3):
        real.poll()

    status = real.registry.look_up("colours")
    assert status.reloads == {"altered": 1, "loaded": 1}
    assert status.failed is not None
    assert "A version never changes: what was loaded is served on" in status.failed.message
    assert real.served == {"colours": bundle.version}
    assert status.is_failing

    bundle.model_path.write_bytes(content)
    real.poll()
    assert real.registry.reloads() == {"colours": {"altered": 1, "loaded": 1}}
    assert not real.registry.look_up("colours").is_failing


def test_a_version_that_is_published_again_with_other_content_is_not_swapped_in(real: Shelf, bundle: Bundle) -> None:
    """Two contents under one name: whoever reads an answer could not tell which one gave it."""
    real.poll()
    other = publish_bundle(real.folder, labels=("red", "green"))
    shutil.rmtree(bundle.path)
    other.path.rename(bundle.path)
    real.point("colours", bundle.version)
    real.poll()

    status = real.registry.look_up("colours")
    assert status.generation is not None
    assert status.generation.labels == ("red", "green", "blue")
    assert status.failed is not None
    assert f"{other.metadata.content_sha256[:8]} now" in status.failed.message


def test_a_report_that_is_added_to_a_served_version_is_no_change(real: Shelf, bundle: Bundle) -> None:
    real.poll()
    list_also(bundle, {"report.html": b"<html>"})
    real.poll()

    assert real.registry.reloads() == {"colours": {"loaded": 1}}


def test_the_same_version_published_again_is_not_loaded_again(real: Shelf, bundle: Bundle) -> None:
    real.poll()
    shutil.copytree(bundle.path, copy := bundle.path.with_name("copy"))
    shutil.rmtree(bundle.path)
    copy.rename(bundle.path)
    real.point("colours", bundle.version)
    real.poll()

    assert real.registry.reloads() == {"colours": {"loaded": 1}}
