"""Numbers in JSON become bytes, and nothing but whole numbers from 0 to 255 does."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.open_inference.numbers import PIECE_BYTES, read_uint8
from service.request_errors import InferenceMalformed

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)
RENDERINGS = ({}, {"separators": (",", ":")}, {"indent": 2})


def images_of(shape: list[int], seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@given(SHAPES, st.integers(0, 2**32 - 1), st.sampled_from(RENDERINGS), st.booleans())
def test_what_was_written_is_read(shape: list[int], seed: int, how: dict[str, object], flat: bool) -> None:  # noqa: FBT001
    images = images_of(shape, seed)
    text = json.dumps((images.ravel() if flat else images).tolist(), **how)  # type: ignore[arg-type]

    assert np.array_equal(read_uint8(text.encode(), shape), images)


def test_a_text_of_several_pieces_loses_nothing_where_it_is_cut() -> None:
    images = images_of([3, 224, 224, 3], 1)
    text = json.dumps(images.tolist()).encode()

    assert len(text) > 2 * PIECE_BYTES
    assert np.array_equal(read_uint8(text, images.shape), images)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2, 3]", "3 numbers"),
        ("[1, 2, 3, 256]", "above 255"),
        ("[1, 2, 3, 1000]", "above 255"),
        ("[1, 2, 3, 65537]", "above 255"),
        ("[1, 2, 3, -4]", "found '[1,2,3,-4]'"),
        ("[1, 2, 3, 4.0]", "whole numbers"),
        ("[1, 2, 3, 4e0]", "whole numbers"),
        ("[1, 2, 3, true]", "whole numbers"),
        ('[1, 2, 3, "4"]', "whole numbers"),
        ("[1, 2, 3, null]", "whole numbers"),
        ("[1, 2,, 3, 4]", "whole numbers"),
        ("[1, 2, 3, 4,]", "whole numbers"),
        ("[1, 2, 3[4]]", "whole numbers"),
        ("[1, 2, 3]4", "from bracket to bracket"),
        ("[]", "whole numbers"),
        ("[1, 2, 3, 4", "from bracket to bracket"),
        ("[[1, 2, 3, 4]]", "neither flat nor nested"),
        ("[[1, 2, 3], [4]]", "neither flat nor nested"),
        ("[[1, 2], [3, 4]]]", "neither flat nor nested"),
        ("[1, 2, 3 4, 5]", "blank"),
    ],
)
def test_what_is_no_such_tensor_is_refused_with_a_reason(text: str, words: str) -> None:
    with pytest.raises(InferenceMalformed) as caught:
        read_uint8(text.encode(), [2, 2])

    assert words in str(caught.value)


@given(st.text("[]0123 ,", max_size=24))
def test_whatever_passes_is_what_a_json_parser_reads(text: str) -> None:
    """It is a second parser; it must never be the more generous one, but for zeros that lead a number."""
    try:
        found = read_uint8(text.encode(), [2, 2])
    except InferenceMalformed:
        return

    try:
        parsed = json.loads(text)
    except ValueError:
        assert "0" in text
        return
    assert np.array_equal(np.array(parsed).reshape(2, 2), found)


def test_a_shape_that_means_more_than_there_is_costs_nothing() -> None:
    with pytest.raises(InferenceMalformed, match="means 1,000,000,000,000,000"):
        read_uint8(b"[1, 2, 3]", [10**5, 10**5, 10**5])
