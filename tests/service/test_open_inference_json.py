"""A JSON document whose long arrays stay text, so that nobody can make the service build millions of objects."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.open_inference.json import MAX_BONES_BYTES, QUOTE_BYTES, NumbersText, StringText, read_document
from service.request_errors import InferenceMalformed

NUMBERS = list(range(128))
LONG = 'aß"/\\\n\\' * 80
KEYS = st.text() | st.just("data")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text() | st.just(NUMBERS) | st.just(LONG),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def restored(value: object) -> object:
    """With all that is text still read the usual way."""
    if isinstance(value, NumbersText):
        return json.loads(value.text)
    if isinstance(value, StringText):
        return json.loads(b'"' + bytes(value.text) + b'"')
    if isinstance(value, dict):
        return {name: restored(each) for name, each in value.items()}
    return [restored(each) for each in value] if isinstance(value, list) else value


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.sampled_from([None, 1]), st.booleans())
def test_it_says_what_a_json_parser_says(document: dict[str, object], indent: int | None, ascii_only: bool) -> None:  # noqa: FBT001
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)

    assert restored(read_document(text.encode())) == json.loads(text)


def test_only_long_arrays_of_data_are_left_as_text() -> None:
    document = {"shape": NUMBERS, "inputs": [{"data": NUMBERS}, {"data": NUMBERS}, {"data": [1, 2]}]}
    found = read_document(json.dumps(document).encode())

    assert found["shape"] == NUMBERS
    assert [type(each["data"]) for each in found["inputs"]] == [NumbersText, NumbersText, list]


@pytest.mark.parametrize("data", ["x", ["x", "x"], [["x"], ["x"]]], ids=str)
def test_long_strings_of_data_are_left_as_text(data: object) -> None:
    text = json.dumps({"data": data, "x" * 2000: "x" * 2000}).replace('"x"', '"' + "x\\/" * 2000 + '"')
    found = read_document(text.encode())

    assert [type(each) for each in flat(found["data"])] == [StringText] * len(flat(data))
    assert found["x" * 2000] == "x" * 2000


def flat(value: object) -> list[object]:
    return [each for inner in value for each in flat(inner)] if isinstance(value, list) else [value]


def test_short_strings_of_data_are_read_at_once() -> None:
    assert read_document(b'{"data": ["QUJD", "\\/w=="]}') == {"data": ["QUJD", "/w=="]}


def test_more_strings_than_any_request_has_are_refused_however_short() -> None:
    """Each costs an object: 96 KB of them held the event loop for 40 ms."""
    few, many = 1000, MAX_BONES_BYTES // (2 * QUOTE_BYTES)
    assert len(read_document(json.dumps({"data": [""] * few}).encode())["data"]) == few

    with pytest.raises(InferenceMalformed, match="each quotation mark counts for 16"):
        read_document(json.dumps({"data": [""] * many}).encode())


def test_strings_that_are_no_data_count_with_all_their_bytes() -> None:
    with pytest.raises(InferenceMalformed, match="more than 65,536 bytes"):
        read_document(json.dumps({"id": "x" * MAX_BONES_BYTES}).encode())


def test_where_the_mistake_is_is_told_of_a_document_that_was_read_whole() -> None:
    with pytest.raises(InferenceMalformed, match=r"\(Expecting value: line 1 column 7 \(char 6\)\)"):
        read_document(b'{"a": x}')
    with pytest.raises(InferenceMalformed, match=r"\(Expecting value\)"):
        read_document(json.dumps({"data": NUMBERS}).encode()[:-1] + b', "a": x}')


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
        b'{"a": Infinity, "data": [' + b"1, " * 300 + b"1]}",
        b'{"data": [' + b"1, " * 300 + b'1], "a": Infinity}',
        b'{"data": "' + b"x" * 2000 + b'": 1}',
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
    "slashes": b'{"data": "' + b"\\/" * 10**6 + b'"}',
    "backslashes": b'{"data": "' + b"\\\\" * 10**6 + b'"}',
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
