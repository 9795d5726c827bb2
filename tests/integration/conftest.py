"""Fixtures for tests of the whole service."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from service.runtime import Runtime
from tests.service.bundles import publish_bundle
from tests.service.conftest import anyio_backend, bundle, models_dir
from tests.service.running import ServiceProcess, running_process

__all__ = ["anyio_backend", "bundle", "models_dir"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A process that serves one model and is ready; a file whose service has options has a fixture of its own."""
    models_dir = tmp_path_factory.mktemp("models")
    publish_bundle(models_dir)
    with running_process(models_dir) as process:
        process.wait_until_ready()
        yield process
        assert process.stop() == 0


@pytest.fixture
def client(running: tuple[FastAPI, httpx.AsyncClient]) -> httpx.AsyncClient:
    """Asks the app of a file's own fixture `running`."""
    return running[1]


@pytest.fixture
def runtime(running: tuple[FastAPI, httpx.AsyncClient]) -> Runtime:
    """What that app works with."""
    runtime: Runtime = running[0].state.runtime
    return runtime
