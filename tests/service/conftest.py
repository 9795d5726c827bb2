"""Fixtures for the service's rooms."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.bundle import Bundle
from tests.service.bundles import publish_bundle


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """An empty models folder."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def bundle(models_dir: Path) -> Bundle:
    """A published model named `colours`."""
    return publish_bundle(models_dir)


@pytest.fixture
def collector_off() -> Iterator[None]:
    """What is in a ring of references stays: so a test sees what only Python's collector would free."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
