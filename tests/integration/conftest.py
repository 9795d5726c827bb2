"""Fixtures for tests of the whole service."""

from tests.service.conftest import anyio_backend, bundle, models_dir

__all__ = ["anyio_backend", "bundle", "models_dir"]
