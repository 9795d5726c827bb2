"""Fixtures that every part of the suite shares."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real pictures and weights beside the checkout; a user's machine does not have them."""
    if not (SHARED_DATA / "datasets").is_dir():
        pytest.skip("needs the development pictures and weights in ../shared, which lie beside the checkout only in CI")
    return SHARED_DATA
