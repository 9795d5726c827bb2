"""JSON that may hold tensors: long arrays of numbers are taken out as text before anything is made of the rest."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service.request_errors import InferenceMalformed

MAX_BONES_BYTES = 64 * 1024
"""What a document may have besides strings and long arrays of numbers. Objects are made of these bytes only."""

_LONG_BYTES = 256
_STRING_WITH_ESCAPES = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_STAND_IN = b"Infinity"  # a word that Python's parser asks about, and JSON does not know


@dataclass(frozen=True)
class NumbersText:
    """An array of numbers as it was written, from its first bracket to its last."""

    text: bytes


def read_document(text: bytes) -> dict[str, Any]:
    """What a JSON object says; each long array of numbers in it is left as `NumbersText`.

    Raises:
        InferenceMalformed: no JSON, no object, or more in it than a request has.
    """
    bones, numbers = _take_apart(text)
    left = iter(numbers)
    try:
        document = json.loads(bones, parse_constant=lambda word: _given_back(word, left))
    except (ValueError, RecursionError) as error:
        raise InferenceMalformed(f"the JSON is not well-formed ({_told(error)})") from error
    if not isinstance(document, dict):
        raise InferenceMalformed(f"the JSON is a {type(document).__name__}, expected an object with `inputs`")
    return document


def _take_apart(text: bytes) -> tuple[bytes, list[NumbersText]]:
    """The text with a stand-in for each long array of numbers, and these. Looks at no byte of a string or an array."""
    pieces: list[bytes] = []
    numbers: list[NumbersText] = []
    at, bones_bytes = 0, 0
    while at < len(text):
        quote = text.find(b'"', at)
        between = text[at:] if quote < 0 else text[at:quote]
        if (array := _array_in(between)) is not None:
            numbers.append(NumbersText(between[array]))
            between = between[: array.start] + _STAND_IN + between[array.stop :]
        at = len(text) if quote < 0 else _end_of_string(text, quote)
        pieces += (between, b"" if quote < 0 else text[quote:at])
        bones_bytes += len(between) + 1
        if bones_bytes > MAX_BONES_BYTES:
            limit = f"{MAX_BONES_BYTES:,} bytes besides strings and arrays of numbers"
            raise InferenceMalformed(f"the JSON has more than {limit}")
    return b"".join(pieces), numbers


def _array_in(between: bytes) -> slice | None:
    """Where a long array stands that is the value of a key, in what stands between two strings."""
    start = between.find(b"[")
    if len(between) < _LONG_BYTES or start < 0 or between[:start].strip() != b":":
        return None
    brace = between.find(b"}", start)
    end = between.rfind(b"]", start, brace if brace >= 0 else len(between)) + 1
    # Else a string or an object stands among the numbers.
    is_whole = between.count(b"[", start, end) == between.count(b"]", start, end)
    return slice(start, end) if end - start >= _LONG_BYTES and is_whole else None


def _end_of_string(text: bytes, start: int) -> int:
    end = text.find(b'"', start + 1) + 1
    if end and text.find(b"\\", start, end) < 0:
        return end
    found = _STRING_WITH_ESCAPES.match(text, start)
    if found is None:
        raise InferenceMalformed("the JSON is not well-formed (a string without its end)")
    return found.end()


def _given_back(word: str, numbers: Iterator[NumbersText]) -> NumbersText:
    if word != _STAND_IN.decode():
        raise ValueError(f"{word} is no number of JSON")
    found = next(numbers, None)
    if found is None:
        raise ValueError(f"{word} is no number of JSON")
    return found


def _told(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)[:120]
