"""Fixtures for tests of the service under load."""

from typing import Any

import pytest

from tests.service.conftest import bundle, models_dir

__all__ = ["anyio_backend", "bundle", "models_dir"]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The clients run on the loop that costs them least: they share the cores with the service."""
    return "asyncio", {"use_uvloop": True}
