"""A JSON document whose long arrays stay text, so that nobody can make the service build millions of objects."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.open_inference.json import MAX_BONES_BYTES, NumbersText, read_document
from service.request_errors import InferenceMalformed

NUMBERS = list(range(256)) * 2
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text() | st.just(NUMBERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def restored(value: object) -> object:
    """With every text of numbers read the usual way."""
    if isinstance(value, NumbersText):
        return json.loads(value.text)
    if isinstance(value, dict):
        return {name: restored(each) for name, each in value.items()}
    return [restored(each) for each in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_it_says_what_a_json_parser_says(document: dict[str, object], indent: int | None, ascii_only: bool) -> None:  # noqa: FBT001
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)

    assert restored(read_document(text.encode())) == json.loads(text)


def test_only_long_arrays_of_a_key_are_left_as_text() -> None:
    found = read_document(json.dumps({"shape": [1, 2], "inputs": [{"data": NUMBERS}, {"data": NUMBERS}]}).encode())

    assert found["shape"] == [1, 2]
    assert [type(each["data"]) for each in found["inputs"]] == [NumbersText, NumbersText]


def test_what_stands_in_a_string_is_no_array() -> None:
    text = '"' + json.dumps({"data": NUMBERS})

    assert read_document(json.dumps({"said": text}).encode()) == {"said": text}


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"[]", b"1", b'"', b'{"a": "b', b'{"a": "b\\"}', b'{"a": NaN}', b'{"a": Infinity}', b"\xff{}"),
        b'{"a": -Infinity}',
        b'{"a": ' * 5000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": Infinity, "b": [' + b"1, " * 300 + b"1]}",
        b'{"b": [' + b"1, " * 300 + b'1], "a": Infinity}',
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_object_in_json_is_refused(text: bytes) -> None:
    with pytest.raises(InferenceMalformed):
        read_document(text)


BOMBS = {
    "lists": b'{"a": [' + b"[]," * 10**6 + b"[]]}",
    "objects": b'{"a": [' + b"{}," * 10**6 + b"{}]}",
    "strings": b'{"a": [' + b'"a",' * 10**6 + b'"a"]}',
    "floats": b'{"a": [[' + b"1.5," * 10**6 + b"1.5]]}",
    "depth": b"[" * 10**6,
    "colons": b":" * 10**6,
    "quotes": b'"' * 10**6,
    "escapes": b'{"a": "' + b'\\"' * 10**6,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_memory_stays_near_that_of_the_text(bomb: str) -> None:
    """Python's parser takes 20 times as much for some of these."""
    tracemalloc.start()
    try:
        read_document(BOMBS[bomb])
    except InferenceMalformed:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert peak < 3 * len(BOMBS[bomb]) + 100 * MAX_BONES_BYTES
