"""A parameter that the route does not know is not passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parameters import check_parameters
from service.request_errors import RepeatedParameter, UnknownParameter
from tests.service.asgi import scope_of


def check(query: bytes) -> None:
    check_parameters(scope_of() | {"query_string": query}, "top_k", "threshold")


@pytest.mark.parametrize("query", [b"", b"top_k=3", b"threshold=0.5&top_k=3", b"top%5Fk=3", b"top_k="])
def test_known_ones_pass_whatever_their_values(query: bytes) -> None:
    check(query)


def test_a_misspelt_one_is_told_what_was_probably_meant() -> None:
    with pytest.raises(
        UnknownParameter, match=r"'topk' is unknown here; choose from top_k, threshold. Did you mean top_k"
    ):
        check(b"topk=3")


def test_one_that_resembles_none_is_told_what_there_is() -> None:
    with pytest.raises(UnknownParameter, match=r"'utm_source' .* choose from top_k, threshold. Take it out"):
        check(b"top_k=3&utm_source=mail")


@pytest.mark.parametrize("query", [b"top_k=3&top_k=5", b"top_k=3&top_k=3", b"top_k=&top%5fk=3"])
def test_one_that_is_given_twice_is_refused(query: bytes) -> None:
    """Which of them counts would differ from one server to the next."""
    with pytest.raises(RepeatedParameter, match="top_k is given more than once"):
        check(query)


@given(st.binary())
def test_every_query_is_either_taken_or_refused(query: bytes) -> None:
    try:
        check(query)
    except (UnknownParameter, RepeatedParameter) as error:
        assert len(str(error)) < 1000
