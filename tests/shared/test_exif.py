"""EXIF: the orientation, read without trusting the block."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.exif import orientation_of
from tests.shared.pictures import exif_block


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_read_with_and_without_prefix(orientation: int, order: str) -> None:
    block = exif_block(orientation, order)

    assert [orientation_of(prefix + block[6:]) for prefix in (b"", b"Exif\0\0", b"Exif\0\0" * 2)] == [orientation] * 3


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_a_value_that_means_nothing_counts_as_upright(value: int) -> None:
    assert orientation_of(exif_block(value)) == 1


def test_a_long_is_understood_as_some_cameras_write_it() -> None:
    block = bytearray(exif_block(1, "<"))
    block[6 + 8 + 2 + 2] = 4
    block[6 + 8 + 2 + 8] = 6

    assert orientation_of(bytes(block)) == 6


@settings(deadline=None)
@given(cut=st.integers(0, 32), noise=st.binary(max_size=40))
def test_a_damaged_block_counts_as_upright_and_never_fails(cut: int, noise: bytes) -> None:
    assert orientation_of(exif_block(6)[: min(cut, 25)]) == 1
    assert 1 <= orientation_of(b"MM\x00*" + noise) <= 8
    assert 1 <= orientation_of(exif_block(6)[:cut] + noise) <= 8
